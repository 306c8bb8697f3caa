/**
 * Prediction events on their way in: each is stored once by its id and counted once in the roll-up of its minute, in
 * one transaction. Knows the tables; not who sends the events, and not how roll-ups are read (traffic.ts).
 */
import type { PredictionEvent, VariantRole } from '../contract.ts';
import type { Deps } from '../deps.ts';
import type { Prisma } from '../generated/prisma/client.ts';
import { type Histogram, histogramOf, merge } from './histogram.ts';

/** Days that event rows are kept. They are what dedupes: an event older than this is dropped, never counted twice. */
export const RETENTION_DAYS = 30;
const DAY_MS = 86_400_000;
const INT4_MAX = 2 ** 31 - 1;

/** What became of a batch; the three add up to the events that came. */
export interface Ingested {
  accepted: number;
  /** Already stored, or twice in the batch. */
  duplicates: number;
  /** Of an unknown endpoint or version, too old, or not storable: a retry could not help. */
  dropped: number;
}

type StoredEvent = {
  id: string;
  fresh: boolean;
  endpointId: string;
  modelVersionId: string;
  role: VariantRole;
  minute: Date;
  durationUs: number;
  instances: number;
  status: string;
};

interface Rollup {
  modelVersionId: string;
  endpointId: string;
  role: VariantRole;
  minute: Date;
  requests: number;
  errors: number;
  instances: number;
  predictions: number;
  latency: Histogram;
}

/** Stores the events that are new and adds just those to the roll-ups: any batch may be sent any number of times. */
export async function ingest(
  deps: Pick<Deps, 'prisma' | 'now' | 'log'>,
  events: readonly PredictionEvent[],
  retentionDays = RETENTION_DAYS,
): Promise<Ingested> {
  const oldest = deps.now().getTime() - retentionDays * DAY_MS;
  const unique = new Map(events.map((event) => [event.id.toLowerCase(), event]));
  const storable = [...unique.values()].filter((event) => Date.parse(event.time) >= oldest && isStorable(event));
  const stored = storable.length === 0 ? [] : await store(deps, storable);
  const accepted = stored.filter((event) => event.fresh).length;
  const dropped = unique.size - stored.length;
  if (dropped > 0) {
    const known = new Set(stored.map((event) => event.id));
    const ids = [...unique.keys()].filter((id) => !known.has(id));
    deps.log.warn('prediction events dropped: unknown endpoint or version, older than the retention, or not storable', {
      dropped,
      retentionDays,
      ids: ids.slice(0, 10),
    });
  }
  return { accepted, duplicates: events.length - accepted - dropped, dropped };
}

/**
 * Deletes event rows older than that many days, and feedback as old, whose events are older still; roll-ups stay.
 * Answers how many events went.
 */
export async function deleteOldEvents(deps: Pick<Deps, 'prisma' | 'now'>, days = RETENTION_DAYS): Promise<number> {
  const where = { time: { lt: new Date(deps.now().getTime() - days * DAY_MS) } };
  const { count } = await deps.prisma.predictionEvent.deleteMany({ where });
  await deps.prisma.feedback.deleteMany({ where });
  return count;
}

/** What PostgreSQL can hold: one event that it refuses would otherwise make the whole batch fail, forever. */
function isStorable(event: PredictionEvent): boolean {
  const labels = (event.predictions ?? []).map((p) => ('label' in p ? p.label : ''));
  const slices = (event.slices ?? []).flatMap((of) => Object.entries(of).flat());
  const texts = [event.endpoint, event.errorCode ?? '', ...labels, ...slices];
  return (
    UUID.test(event.modelVersionId) &&
    event.revision <= INT4_MAX &&
    event.instances <= INT4_MAX &&
    texts.every((text) => text.isWellFormed() && !text.includes('\0'))
  );
}
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Batches of a busy minute queue for its roll-up row: better to wait in line than to fail and come again. */
const PATIENT = { maxWait: 15_000, timeout: 30_000 };

/**
 * Rows are locked in one order everywhere, events by id before roll-ups by key, so that concurrent batches wait for
 * each other and never deadlock.
 */
function store(deps: Pick<Deps, 'prisma'>, events: PredictionEvent[]): Promise<StoredEvent[]> {
  return deps.prisma.$transaction(async (tx) => {
    const stored = await insertEvents(tx, events);
    await addToRollups(tx, rollUp(stored.filter((event) => event.fresh)));
    return stored;
  }, PATIENT);
}

/** Answers those whose endpoint and version exist and belong together; `fresh` when they were not there before. */
function insertEvents(tx: Prisma.TransactionClient, events: PredictionEvent[]): Promise<StoredEvent[]> {
  const rows = JSON.stringify(events.map((e) => ({ ...e, durationUs: Math.min(e.durationUs, INT4_MAX) })));
  return tx.$queryRaw<StoredEvent[]>`
    WITH known AS (
      SELECT e.*, endpoint.id AS "endpointId"
      FROM jsonb_to_recordset(${rows}::jsonb) AS e(
        id uuid, endpoint text, "modelVersionId" uuid, revision int, "time" timestamptz, "durationUs" int,
        status text, "errorCode" text, instances int, predictions jsonb,
        role "VariantRole", "shadowOf" uuid, "selectedBy" "SelectedBy", slices jsonb)
      JOIN "Endpoint" endpoint ON endpoint.name = e.endpoint
      JOIN "ModelVersion" version ON version.id = e."modelVersionId"
      JOIN "Model" model ON model.id = version."modelId" AND model."projectId" = endpoint."projectId"
    ), fresh AS (
      INSERT INTO "PredictionEvent" (
        id, "endpointId", "modelVersionId", revision, "time", "durationUs", status, "errorCode", instances, predictions,
        role, "shadowOf", "selectedBy", slices)
      SELECT id, "endpointId", "modelVersionId", revision, "time", "durationUs", status, "errorCode", instances,
        nullif(predictions, 'null'::jsonb), coalesce(role, 'PRIMARY'), "shadowOf", coalesce("selectedBy", 'WEIGHT'),
        slices
      FROM known ORDER BY id
      ON CONFLICT (id) DO NOTHING
      RETURNING id
    )
    SELECT known.id::text, "endpointId"::text, "modelVersionId"::text, coalesce(role, 'PRIMARY')::text AS role,
      "durationUs", instances, status,
      date_trunc('minute', "time", 'UTC') AS minute, fresh.id IS NOT NULL AS fresh
    FROM known LEFT JOIN fresh USING (id)`;
}

async function addToRollups(tx: Prisma.TransactionClient, rollups: Rollup[]): Promise<void> {
  if (rollups.length === 0) return;
  await tx.$executeRaw`
    INSERT INTO "TrafficRollup" AS old
      ("modelVersionId", "endpointId", role, minute, requests, errors, instances, predictions, latency)
    SELECT * FROM jsonb_to_recordset(${JSON.stringify(rollups)}::jsonb) AS r(
      "modelVersionId" uuid, "endpointId" uuid, role "VariantRole", minute timestamptz,
      requests int, errors int, instances int, predictions int, latency int[])
    ORDER BY r."modelVersionId", r."endpointId", r.role, r.minute
    ON CONFLICT ("modelVersionId", "endpointId", role, minute) DO UPDATE SET
      requests = old.requests + excluded.requests,
      errors = old.errors + excluded.errors,
      instances = old.instances + excluded.instances,
      predictions = old.predictions + excluded.predictions,
      latency = ARRAY(
        SELECT coalesce(a, 0) + coalesce(b, 0)
        FROM unnest(old.latency, excluded.latency) WITH ORDINALITY AS bins(a, b, bin) ORDER BY bin)`;
}

/** The events' counts by version, endpoint, role and minute. */
function rollUp(events: StoredEvent[]): Rollup[] {
  const rollups = new Map<string, Rollup>();
  for (const { modelVersionId, endpointId, role, minute, status, instances, durationUs } of events) {
    const key = `${modelVersionId} ${endpointId} ${role} ${minute.getTime()}`;
    const sum = rollups.get(key) ?? {
      modelVersionId,
      endpointId,
      role,
      minute,
      requests: 0,
      errors: 0,
      instances: 0,
      predictions: 0,
      latency: [],
    };
    rollups.set(key, {
      ...sum,
      requests: sum.requests + 1,
      errors: sum.errors + (status === 'ERROR' ? 1 : 0),
      instances: sum.instances + instances,
      predictions: sum.predictions + (status === 'OK' ? instances : 0),
      latency: merge(sum.latency, histogramOf([durationUs])),
    });
  }
  return [...rollups.values()];
}
