/** Places of trials among those of their search, read for a whole page of experiments by one statement. */
import type { PrismaClient } from '../generated/prisma/client.ts';

/** Loads the place of a run, from 1; null while it has no score, and for runs that came to nothing. */
export interface TrialRanksLoader {
  load(experimentId: string, runId: string): Promise<number | null>;
}

/** A loader for one request: experiments asked for in the same tick share one statement. */
export function trialRanksLoader(prisma: PrismaClient): TrialRanksLoader {
  let batch: { ids: Set<string>; answer: Promise<Map<string, number>> } | undefined;
  return {
    async load(experimentId, runId) {
      if (!batch) {
        const ids = new Set<string>();
        // Two turns of the event loop, as for metrics: nested promises of a page need the second.
        const answer = new Promise((resolve) => setImmediate(() => setImmediate(resolve))).then(() => {
          batch = undefined;
          return readRanks(prisma, [...ids]);
        });
        batch = { ids, answer };
      }
      batch.ids.add(experimentId);
      return (await batch.answer).get(runId) ?? null;
    },
  };
}

/** By score in the objective's direction; of equal ones the earlier trial is ahead, so that places are distinct. */
async function readRanks(prisma: PrismaClient, experimentIds: string[]): Promise<Map<string, number>> {
  const rows = await prisma.$queryRaw<{ id: string; rank: bigint }[]>`
    SELECT r.id, row_number() OVER (
      PARTITION BY r."experimentId"
      ORDER BY CASE WHEN e.objective IN ('ACCURACY', 'F1_MACRO') THEN -r.score ELSE r.score END, r.trial
    ) AS rank
    FROM "Run" r JOIN "Experiment" e ON e.id = r."experimentId"
    WHERE r."experimentId" = ANY(${experimentIds}::uuid[]) AND r.trial IS NOT NULL AND r.score IS NOT NULL
      AND (r.status IN ('RUNNING', 'SUCCEEDED') OR r."errorCode" = 'STOPPED_EARLY')`;
  return new Map(rows.map(({ id, rank }) => [id, Number(rank)]));
}
