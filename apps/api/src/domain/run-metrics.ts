/** The metrics of runs, read for a whole page of runs by one statement and thinned to what a chart can show. */
import type { PrismaClient } from '../generated/prisma/client.ts';

/** One value of one metric. */
export interface MetricPoint {
  step: number;
  value: number;
  time: Date;
}
/** One metric of a run, steps rising. */
export interface MetricSeries {
  name: string;
  points: MetricPoint[];
}
/** Which metrics (null = all) and how many points of each at most. */
export interface MetricQuery {
  names: string[] | null;
  points: number;
}
export interface RunMetricsLoader {
  load(runId: string, query: MetricQuery): Promise<MetricSeries[]>;
}

/** A loader for one request: runs asked for in the same tick and with the same query share one statement. */
export function runMetricsLoader(prisma: PrismaClient): RunMetricsLoader {
  const waiting = new Map<string, { ids: Set<string>; answer: Promise<Map<string, MetricSeries[]>> }>();
  return {
    async load(runId, query) {
      const key = JSON.stringify([query.points, query.names]);
      let batch = waiting.get(key);
      if (!batch) {
        const ids = new Set<string>();
        // Two turns of the event loop: Pothos resolves the fields of a page in one, nested promises need the second.
        const answer = new Promise((resolve) => setImmediate(() => setImmediate(resolve))).then(() => {
          waiting.delete(key);
          return readSeries(prisma, [...ids], query);
        });
        batch = { ids, answer };
        waiting.set(key, batch);
      }
      batch.ids.add(runId);
      return (await batch.answer).get(runId) ?? [];
    },
  };
}

interface Row extends MetricPoint {
  runId: string;
  name: string;
}

/**
 * Thinned in SQL, so that a million points never leave the database: every k-th point of a series and its last one,
 * k the smallest for which at most `points` remain.
 */
async function readSeries(
  prisma: PrismaClient,
  runIds: string[],
  { names, points }: MetricQuery,
): Promise<Map<string, MetricSeries[]>> {
  const rows = await prisma.$queryRaw<Row[]>`
    SELECT "runId", name, step, value, time FROM (
      SELECT *, row_number() OVER (PARTITION BY "runId", name ORDER BY step) - 1 AS place,
             count(*) OVER (PARTITION BY "runId", name) AS total
      FROM "RunMetric"
      WHERE "runId" = ANY(${runIds}::uuid[]) AND (${names}::text[] IS NULL OR name = ANY(${names}::text[]))
    ) numbered
    WHERE place = total - 1
       OR (total <= ${points} AND place < total)
       OR (total > ${points} AND ${points} > 1
           AND place % ceil((total - 1)::numeric / ${Math.max(1, points - 1)})::bigint = 0)
    ORDER BY "runId", name, step`;
  const found = new Map<string, MetricSeries[]>();
  for (const { runId, name, ...point } of rows) {
    const series = found.get(runId) ?? [];
    found.set(runId, series);
    let last = series.at(-1);
    if (last?.name !== name) {
      last = { name, points: [] };
      series.push(last);
    }
    last.points.push(point);
  }
  return found;
}
