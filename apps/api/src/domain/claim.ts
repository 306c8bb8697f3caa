/** Claiming: which trainer works on which run, by one atomic statement. Runs whose trainer died are claimed again. */
import { ImportSpec } from '@anneal/trainer/contract';
import { z } from 'zod';
import type { Caller } from '../context.ts';
import type { Deps } from '../deps.ts';
import { RunKind } from '../generated/prisma/enums.ts';
import { type StoredColumn, StoredColumns } from './dataset-columns.ts';
import { listen } from './news.ts';
import { noteOffer } from './offers.ts';
import { trainerProject } from './run-access.ts';
import { rungsOfSearch } from './search.ts';

/** A trainer that is silent for so long is dead: its heartbeat comes every 3 s. */
export const LEASE_SECONDS = 10;
/** While waiting, look for expired leases at least this often. */
const LOOK_MS = 1_000;
const URL_LIFE_MS = 60 * 60 * 1000;

/** Input of {@link claimRun}. */
export const ClaimRunInput = z.object({
  worker: z.string().trim().min(1).max(200),
  engines: z.array(z.string().min(1).max(50)).min(1).max(20),
  kinds: z.array(z.enum(RunKind)).min(1).nullish(),
  waitSeconds: z.number().min(0).max(20).nullish(),
});

/** A run that is the caller's until its lease runs out, and all that is needed to work on it. */
export interface Claim {
  runId: string;
  attempt: number;
  kind: RunKind;
  leaseSeconds: number;
  /** RunSpec or ImportSpec. */
  spec: unknown;
  /** IMPORT: the bytes of the model that came. */
  sourceUrl: string | null;
  /** Null for an IMPORT that is not evaluated. */
  datasetUrl: string | null;
  columns: StoredColumn[];
  missingValues: string[];
  checkpoint: { url: string; step: number } | null;
  /** Epochs after which it has to ask its search whether to go on. */
  rungs: number[];
}

/** Waits up to `waitSeconds` for a run that the trainer can work on; null when none came. */
export async function claimRun(
  deps: Deps,
  caller: Caller,
  input: z.output<typeof ClaimRunInput>,
  signal?: AbortSignal,
): Promise<Claim | null> {
  const projectId = trainerProject(caller);
  const { worker, engines, kinds } = input;
  noteOffer(deps, { worker, engines, projectId, kinds: kinds ?? [RunKind.TRAIN] });
  const deadline = performance.now() + (input.waitSeconds ?? 0) * 1000;
  const news = listen(deps.pubsub, 'queue', { signal });
  try {
    for (;;) {
      await sweepRuns(deps);
      const claimed = await takeRun(deps, projectId, input);
      if (claimed) return await describe(deps, claimed);
      const left = deadline - performance.now();
      if (left <= 0 || signal?.aborted) return null;
      await news.wait(Math.min(left, LOOK_MS));
      if (signal?.aborted) return null;
    }
  } finally {
    await news.close();
  }
}

type Claimed = { id: string; attempt: number };

/** The oldest run that waits or whose lease ran out. Without a checkpoint it starts over, so its old metrics go. */
async function takeRun(
  deps: Deps,
  projectId: string | null,
  { worker, engines, kinds }: z.output<typeof ClaimRunInput>,
): Promise<Claimed | undefined> {
  const [claimed] = await deps.prisma.$queryRaw<Claimed[]>`
    WITH claimed AS (
      UPDATE "Run" SET
        status = 'RUNNING', attempt = attempt + 1, progress = 0, score = NULL, engine = NULL, device = NULL,
        "leaseOwner" = ${worker}, "leaseExpiresAt" = now() + make_interval(secs => ${LEASE_SECONDS}),
        "startedAt" = COALESCE("startedAt", now())
      WHERE id = (
        SELECT r.id FROM "Run" r
        WHERE (r.status = 'QUEUED' OR (r.status = 'RUNNING' AND r."leaseExpiresAt" < now()
                 AND r.attempt < r."maxAttempt" AND r."cancelRequestedAt" IS NULL))
          AND (${projectId}::uuid IS NULL OR r."projectId" = ${projectId}::uuid)
          AND r.kind = ANY(${kinds ?? [RunKind.TRAIN]}::text[]::"RunKind"[])
          AND (r.kind = 'IMPORT' OR r.spec->>'engine' = 'AUTO' OR r.spec->>'engine' = ANY(${engines}::text[]))
        ORDER BY r."createdAt", r.trial, r.id LIMIT 1 FOR UPDATE OF r SKIP LOCKED
      )
      RETURNING id, attempt
    ), restarted AS (
      DELETE FROM "RunMetric" m USING claimed c
      WHERE m."runId" = c.id AND NOT EXISTS (SELECT FROM "Checkpoint" p WHERE p."runId" = c.id)
    )
    SELECT id, attempt FROM claimed`;
  return claimed;
}

/**
 * Ends runs whose lease ran out and that nobody may claim again: the last attempt, or a cancel that no trainer heard.
 * Every claim sweeps first; a process may also call it now and then.
 */
export async function sweepRuns(deps: Pick<Deps, 'prisma' | 'pubsub'>): Promise<void> {
  const swept = await deps.prisma.$queryRaw<{ id: string }[]>`
    UPDATE "Run" SET
      status = CASE WHEN "cancelRequestedAt" IS NULL THEN 'FAILED'::"RunStatus" ELSE 'CANCELED'::"RunStatus" END,
      "errorCode" = CASE WHEN "cancelRequestedAt" IS NULL THEN 'LEASE_EXPIRED' END,
      "errorMessage" = CASE WHEN "cancelRequestedAt" IS NULL THEN
        'The trainer of attempt ' || attempt || ' (' || COALESCE("leaseOwner", 'unknown') || ') went silent; '
        || 'no attempts are left. Retry the run when trainers are well.' END,
      "finishedAt" = now(), "leaseExpiresAt" = NULL
    WHERE status = 'RUNNING' AND "leaseExpiresAt" < now()
      AND (attempt >= "maxAttempt" OR "cancelRequestedAt" IS NOT NULL)
    RETURNING id`;
  for (const { id } of swept) await deps.pubsub.publish('run', id);
}

async function describe(deps: Deps, { id, attempt }: Claimed): Promise<Claim> {
  await deps.pubsub.publish('run', id);
  const ofData = { select: { digest: true, columns: true, missingValues: true } };
  const run = await deps.prisma.run.findUniqueOrThrow({
    where: { id },
    select: {
      kind: true,
      spec: true,
      checkpoints: { orderBy: { step: 'desc' }, take: 1 },
      experiment: { select: { search: true, datasetVersion: ofData } },
      datasetVersion: ofData,
    },
  });
  const data = run.experiment?.datasetVersion ?? run.datasetVersion;
  const expiresAt = new Date(deps.now().getTime() + URL_LIFE_MS);
  const urlOf = (blob: string) => deps.signer.sign({ method: 'GET', path: `/blobs/${blob}`, expiresAt });
  const [checkpoint] = run.checkpoints;
  return {
    runId: id,
    attempt,
    kind: run.kind,
    leaseSeconds: LEASE_SECONDS,
    spec: run.spec,
    sourceUrl: run.kind === 'IMPORT' ? urlOf(ImportSpec.parse(run.spec).source.digest) : null,
    datasetUrl: data && urlOf(data.digest),
    columns: StoredColumns.parse(data?.columns ?? []).filter(({ role }) => role === 'FEATURE'),
    missingValues: data?.missingValues ?? [],
    checkpoint: checkpoint ? { url: urlOf(checkpoint.digest), step: checkpoint.step } : null,
    rungs: rungsOfSearch(run.experiment?.search ?? null),
  };
}
