/** Which values of a logged column predictions were made for. Knows the tables and no GraphQL. */
import type { VariantRole } from '../contract.ts';
import type { Deps } from '../deps.ts';
import { batched } from './batched.ts';
import { type WindowInput, windowOf } from './traffic.ts';

/** The most values that are listed, those with the most predictions first. */
export const MAX_SLICES = 100;

/** The predictions for instances with one value in a column. */
export interface SliceCount {
  value: string;
  /** Predictions that were answered. */
  n: number;
  /** Of those that feedback has come for, whatever it says. */
  labelled: number;
}

/** Which column, and of which predictions. */
export interface SlicesQuery {
  column: string;
  window: WindowInput;
  endpoint: string | null;
  role: VariantRole;
}

export interface SlicesLoader {
  /** @throws BadWindow */
  load(modelVersionId: string, query: SlicesQuery): Promise<SliceCount[]>;
}

/** A loader for one request: versions asked for in the same tick and by the same query share one statement. */
export function slicesLoader(deps: Pick<Deps, 'prisma' | 'now'>): SlicesLoader {
  return { load: batched((versions: string[], query: SlicesQuery) => readSlices(deps, versions, query)) };
}

async function readSlices(
  { prisma, now }: Pick<Deps, 'prisma' | 'now'>,
  versions: readonly string[],
  { column, window, endpoint, role }: SlicesQuery,
): Promise<SliceCount[][]> {
  const { from, to } = windowOf(window, now());
  const rows = await prisma.$queryRaw<(SliceCount & { version: string })[]>`
    WITH counted AS (
      SELECT event."modelVersionId" AS version, of.slices ->> ${column} AS value, count(*)::float8 AS n,
        count(told.label)::float8 AS labelled
      FROM "PredictionEvent" event
      CROSS JOIN LATERAL jsonb_array_elements(event.slices) WITH ORDINALITY AS of(slices, place)
      LEFT JOIN "Feedback" told ON told."eventId" = coalesce(event."shadowOf", event.id)
        AND told.index = of.place - 1 AND told."endpointId" = event."endpointId"
      WHERE event."modelVersionId" = ANY(${versions}::uuid[]) AND event."time" >= ${from} AND event."time" < ${to}
        AND event.role = ${role}::"VariantRole" AND event.status = 'OK' AND of.slices ->> ${column} IS NOT NULL
        AND event."endpointId" IN (SELECT id FROM "Endpoint" WHERE ${endpoint}::text IS NULL OR name = ${endpoint})
      GROUP BY 1, 2
    ), ranked AS (
      SELECT *, row_number() OVER (PARTITION BY version ORDER BY n DESC, value) AS rank FROM counted
    )
    SELECT version::text, value, n, labelled FROM ranked WHERE rank <= ${MAX_SLICES} ORDER BY version, rank`;
  return versions.map((id) =>
    rows.filter(({ version }) => version === id).map(({ value, n, labelled }) => ({ value, n, labelled })),
  );
}
