/**
 * Sketches on their way in: each is counted once by its id, into the roll-up of its columns and five minutes, in one
 * transaction. Knows the tables; how roll-ups are read is in drift.ts.
 */
import type { Sketch } from '../contract.ts';
import type { Deps } from '../deps.ts';
import type { Prisma } from '../generated/prisma/client.ts';
import { type Ingested, RETENTION_DAYS } from './prediction-events.ts';

/** Length of a roll-up's time. */
export const BUCKET_MS = 300_000;
const DAY_MS = 86_400_000;
const INT4_MAX = 2 ** 31 - 1;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

interface Rollup {
  modelVersionId: string;
  endpointId: string;
  column: string;
  bucket: string;
  n: number;
  missing: number;
  unseen: number;
  counts: number[];
}

/** Adds the sketches that are new: any batch may be sent any number of times. */
export async function ingestSketches(
  deps: Pick<Deps, 'prisma' | 'now' | 'log'>,
  sketches: readonly Sketch[],
  retentionDays = RETENTION_DAYS,
): Promise<Ingested> {
  if (sketches.length === 0) return { accepted: 0, duplicates: 0, dropped: 0 };
  const oldest = deps.now().getTime() - retentionDays * DAY_MS;
  const unique = new Map(sketches.map((sketch) => [sketch.id.toLowerCase(), sketch]));
  const storable = [...unique.values()].filter((sketch) => Date.parse(sketch.time) >= oldest && isStorable(sketch));
  const { known, accepted } = await store(deps, storable);
  const dropped = unique.size - known;
  if (dropped > 0)
    deps.log.warn('sketches dropped: unknown endpoint or version, older than the retention, or not storable', {
      dropped,
      retentionDays,
    });
  return { accepted, duplicates: sketches.length - accepted - dropped, dropped };
}

function isStorable({ modelVersionId, endpoint, columns }: Sketch): boolean {
  const texts = [endpoint, ...columns.map(({ column }) => column)];
  const numbers = columns.flatMap(({ n, missing, unseen, counts }) => [n, missing, unseen, ...counts]);
  return (
    UUID.test(modelVersionId) &&
    texts.every((text) => text.isWellFormed() && !text.includes('\0')) &&
    numbers.every((number) => number <= INT4_MAX)
  );
}

/** Batches of a busy endpoint queue for its rows: better to wait in line than to fail and come again. */
const PATIENT = { maxWait: 15_000, timeout: 30_000 };

/** Rows are locked in one order everywhere: sketches by id, then roll-ups by key. */
function store({ prisma }: Pick<Deps, 'prisma'>, sketches: Sketch[]): Promise<{ known: number; accepted: number }> {
  return prisma.$transaction(async (tx) => {
    const known = await knownEndpoints(tx, sketches);
    const mine = sketches.filter((sketch) => known.has(keyOf(sketch)));
    const ids = mine.map(({ id, time }) => ({ id, time }));
    const fresh = await tx.$queryRaw<{ id: string }[]>`
      INSERT INTO "SketchEvent" (id, "time")
      SELECT id, "time" FROM jsonb_to_recordset(${JSON.stringify(ids)}::jsonb) AS s(id uuid, "time" timestamptz)
      ORDER BY id
      ON CONFLICT (id) DO NOTHING
      RETURNING id::text`;
    const isFresh = new Set(fresh.map(({ id }) => id));
    const counted = mine.filter(({ id }) => isFresh.has(id.toLowerCase()));
    await addToRollups(tx, rollUp(counted, known));
    return { known: mine.length, accepted: counted.length };
  }, PATIENT);
}

const keyOf = ({ endpoint, modelVersionId }: Sketch) => `${endpoint} ${modelVersionId.toLowerCase()}`;

/** The endpoints' ids, by endpoint and version, of those that exist and belong together. */
async function knownEndpoints(tx: Prisma.TransactionClient, sketches: Sketch[]): Promise<Map<string, string>> {
  const pairs = sketches.map(({ endpoint, modelVersionId }) => ({ endpoint, modelVersionId }));
  const rows = await tx.$queryRaw<{ endpoint: string; modelVersionId: string; endpointId: string }[]>`
    SELECT DISTINCT endpoint.name AS endpoint, version.id::text AS "modelVersionId", endpoint.id::text AS "endpointId"
    FROM jsonb_to_recordset(${JSON.stringify(pairs)}::jsonb) AS s(endpoint text, "modelVersionId" uuid)
    JOIN "Endpoint" endpoint ON endpoint.name = s.endpoint
    JOIN "ModelVersion" version ON version.id = s."modelVersionId"
    JOIN "Model" model ON model.id = version."modelId" AND model."projectId" = endpoint."projectId"`;
  return new Map(rows.map((row) => [`${row.endpoint} ${row.modelVersionId}`, row.endpointId]));
}

/** One statement cannot write a row twice: the sketches' counts by version, endpoint, column and bucket. */
function rollUp(sketches: Sketch[], endpointIds: ReadonlyMap<string, string>): Rollup[] {
  const rollups = new Map<string, Rollup>();
  for (const sketch of sketches) {
    const { modelVersionId, time, columns } = sketch;
    const endpointId = endpointIds.get(keyOf(sketch)) ?? '';
    const bucket = new Date(Math.floor(Date.parse(time) / BUCKET_MS) * BUCKET_MS).toISOString();
    for (const { column, n, missing, unseen, counts } of columns) {
      const key = JSON.stringify([modelVersionId.toLowerCase(), endpointId, column, bucket]);
      const sum = rollups.get(key);
      rollups.set(key, {
        ...{ modelVersionId, endpointId, column, bucket },
        n: n + (sum?.n ?? 0),
        missing: missing + (sum?.missing ?? 0),
        unseen: unseen + (sum?.unseen ?? 0),
        counts: added(counts, sum?.counts ?? []),
      });
    }
  }
  return [...rollups.values()];
}

function added(a: readonly number[], b: readonly number[]): number[] {
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => (a[i] ?? 0) + (b[i] ?? 0));
}

async function addToRollups(tx: Prisma.TransactionClient, rollups: Rollup[]): Promise<void> {
  if (rollups.length === 0) return;
  await tx.$executeRaw`
    INSERT INTO "ColumnRollup" AS old
      ("modelVersionId", "endpointId", "column", bucket, n, missing, unseen, counts)
    SELECT * FROM jsonb_to_recordset(${JSON.stringify(rollups)}::jsonb) AS r(
      "modelVersionId" uuid, "endpointId" uuid, "column" text, bucket timestamptz,
      n int, missing int, unseen int, counts int[])
    ORDER BY "modelVersionId", "endpointId", "column", bucket
    ON CONFLICT ("modelVersionId", "endpointId", "column", bucket) DO UPDATE SET
      n = old.n + excluded.n,
      missing = old.missing + excluded.missing,
      unseen = old.unseen + excluded.unseen,
      counts = ARRAY(
        SELECT coalesce(a, 0) + coalesce(b, 0)
        FROM unnest(old.counts, excluded.counts) WITH ORDINALITY AS bins(a, b, bin) ORDER BY bin)`;
}

/** Deletes the ids of sketches older than that many days; roll-ups stay. */
export async function deleteOldSketches(deps: Pick<Deps, 'prisma' | 'now'>, days: number): Promise<void> {
  const before = new Date(deps.now().getTime() - days * DAY_MS);
  await deps.prisma.sketchEvent.deleteMany({ where: { time: { lt: before } } });
}
