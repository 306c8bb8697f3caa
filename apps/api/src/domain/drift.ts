/**
 * Drift of versions in a window of time: what the edge counted of their columns, compared with the rows they were
 * trained on. Knows roll-ups and profiles; the mathematics is in evaluation/.
 */
import type { Deps } from '../deps.ts';
import { type Difference, differenceOf } from '../evaluation/drift.ts';
import { batched } from './batched.ts';
import { binLabels, type CountedColumn } from './column-profile.ts';
import { BUCKET_MS } from './column-rollup.ts';
import { profilesOf } from './profile.ts';
import { type Window, type WindowInput, windowOf } from './traffic.ts';

/** Of which time, and at which endpoint (null = all). */
export interface DriftQuery {
  window: WindowInput;
  endpoint: string | null;
}

/** A share of the rows of training, and of those that were asked. */
export interface Shares {
  expected: number;
  observed: number;
}

/** A column's rows by bin, and how far they are from those of training. */
export interface ColumnDrift extends Difference {
  column: string;
  kind: CountedColumn['profile']['kind'];
  /** Instances that were counted. */
  n: number;
  missing: Shares;
  /** Instances with a category that training never saw, or a number beyond its range. */
  unseen: number;
  bins: (Shares & { label: string })[];
}

/** A version's columns, those that differ most first. */
export interface Drift {
  window: Window;
  /** Instances that were counted. */
  n: number;
  columns: ColumnDrift[];
}

/** What was counted of a column. */
interface Sums {
  modelVersionId: string;
  column: string;
  n: number;
  missing: number;
  unseen: number;
  counts: number[];
}

/**
 * Drift of each of the versions, in their order, by one statement for what was counted and one for what is not known
 * yet of their training. Null for versions without counted requests in the window, or without a profile.
 */
async function driftOf(
  deps: Pick<Deps, 'prisma' | 'blobs' | 'log'>,
  modelVersionIds: readonly string[],
  { window, endpoint }: { window: Window; endpoint: string | null },
): Promise<(Drift | null)[]> {
  const sums = Map.groupBy(await readSums(deps, modelVersionIds, { window, endpoint }), (row) => row.modelVersionId);
  const profiles = await profilesOf(deps, [...sums.keys()]);
  return modelVersionIds.map((id) => {
    const [rows, profile] = [sums.get(id), profiles.get(id)];
    if (!rows || !profile) return null;
    const observed = new Map(rows.map((row) => [row.column, row]));
    const columns = profile.flatMap((of) => columnDrift(of, observed.get(of.profile.column)) ?? []);
    const n = Math.max(0, ...columns.map((column) => column.n));
    return n === 0 ? null : { window, n, columns: columns.toSorted(worstFirst) };
  });
}

/** Buckets that the window touches count. */
function readSums(
  { prisma }: Pick<Deps, 'prisma'>,
  ids: readonly string[],
  { window, endpoint }: { window: Window; endpoint: string | null },
): Promise<Sums[]> {
  const from = new Date(window.from.getTime() - BUCKET_MS);
  return prisma.$queryRaw<Sums[]>`
    WITH counted AS (
      SELECT "modelVersionId", "column", n, missing, unseen, counts FROM "ColumnRollup"
      WHERE "modelVersionId" = ANY(${ids}::uuid[]) AND bucket > ${from} AND bucket < ${window.to}
        AND (${endpoint}::text IS NULL OR "endpointId" = (SELECT id FROM "Endpoint" WHERE name = ${endpoint}))
    ), bins AS (
      SELECT "modelVersionId", "column", bin, sum(count) AS count
      FROM counted, unnest(counts) WITH ORDINALITY AS u(count, bin) GROUP BY 1, 2, 3
    ), sums AS (
      SELECT "modelVersionId", "column", sum(n) AS n, sum(missing) AS missing, sum(unseen) AS unseen
      FROM counted GROUP BY 1, 2
    )
    SELECT "modelVersionId"::text, "column", n::float8, missing::float8, unseen::float8,
      array_agg(count::float8 ORDER BY bin) AS counts
    FROM sums JOIN bins USING ("modelVersionId", "column")
    GROUP BY "modelVersionId", "column", n, missing, unseen`;
}

/** Undefined where nothing was counted, or by other bins than the profile's. */
function columnDrift({ profile, expected }: CountedColumn, observed: Sums | undefined): ColumnDrift | undefined {
  if (!observed || observed.counts.length !== expected.counts.length || observed.n === 0) return undefined;
  const shares = (a: number, b: number): Shares => ({ expected: a / expected.n, observed: b / observed.n });
  const bins = binLabels(profile).map((label, i) => ({
    label,
    ...shares(expected.counts[i] ?? 0, observed.counts[i] ?? 0),
  }));
  return {
    column: profile.column,
    kind: profile.kind,
    n: observed.n,
    missing: shares(expected.missing, observed.missing),
    unseen: observed.unseen,
    bins: bins.filter((bin) => bin.label !== '(others)' || bin.expected > 0 || bin.observed > 0),
    ...differenceOf(expected, observed),
  };
}

function worstFirst(a: ColumnDrift, b: ColumnDrift): number {
  return (b.psi ?? 0) - (a.psi ?? 0) || (a.column < b.column ? -1 : 1);
}

export interface DriftLoader {
  /** @throws BadWindow */
  load(modelVersionId: string, query: DriftQuery): Promise<Drift | null>;
}

/** A loader for one request: versions asked for in the same tick and window are read together. */
export function driftLoader(deps: Pick<Deps, 'prisma' | 'blobs' | 'log' | 'now'>): DriftLoader {
  const load = batched((ids: string[], { window, endpoint }: DriftQuery) =>
    driftOf(deps, ids, { window: windowOf(window, deps.now()), endpoint }),
  );
  return { load };
}
