/**
 * Feedback on its way in: labels of predictions, one kept per prediction, whether its event is here already or not.
 * Knows the table; how labels and predictions are joined is in live.ts.
 */
import type { Feedback } from '../contract.ts';
import type { Deps } from '../deps.ts';
import { type Ingested, RETENTION_DAYS } from './prediction-events.ts';

const DAY_MS = 86_400_000;

/** A label as it is stored. `time` has the same number of digits everywhere, so that texts compare as times. */
interface Label {
  endpoint: string;
  eventId: string;
  index: number;
  label: string;
  time: string;
}

/**
 * Stores labels. Of several for one prediction the latest by time stays, so any batch may come any number of times, in
 * any order. What is of a known endpoint counts as accepted, new or not.
 */
export async function ingestFeedback(
  deps: Pick<Deps, 'prisma' | 'now' | 'log'>,
  feedback: readonly Feedback[],
  retentionDays = RETENTION_DAYS,
): Promise<Ingested> {
  const oldest = deps.now().getTime() - retentionDays * DAY_MS;
  const storable = feedback.filter((event) => Date.parse(event.time) >= oldest && event.labels.every(isStorable));
  const known = storable.length === 0 ? new Set() : await store(deps, storable);
  const dropped = feedback.filter((event) => !storable.includes(event) || !known.has(event.endpoint));
  if (dropped.length > 0)
    deps.log.warn('feedback dropped: unknown endpoint, older than the retention, or not storable', {
      dropped: dropped.length,
      retentionDays,
      ids: dropped.slice(0, 10).map(({ id }) => id),
    });
  return { accepted: feedback.length - dropped.length, duplicates: 0, dropped: dropped.length };
}

/** What PostgreSQL can hold: one label that it refuses would make the whole batch fail, forever. */
function isStorable({ label }: { label: string }): boolean {
  return label.isWellFormed() && !label.includes('\0');
}

/** Answers the names of the endpoints that exist. Rows are locked in one order, as in prediction-events.ts. */
async function store({ prisma }: Pick<Deps, 'prisma'>, feedback: readonly Feedback[]): Promise<Set<string>> {
  const endpoints = await prisma.endpoint.findMany({
    where: { name: { in: [...new Set(feedback.map((event) => event.endpoint))] } },
    select: { name: true },
  });
  await prisma.$executeRaw`
    INSERT INTO "Feedback" AS old ("endpointId", "eventId", index, label, "time")
    SELECT endpoint.id, told."eventId", told.index, told.label, told."time"
    FROM jsonb_to_recordset(${JSON.stringify(latest(feedback))}::jsonb) AS told(
      endpoint text, "eventId" uuid, index smallint, label text, "time" timestamptz)
    JOIN "Endpoint" endpoint ON endpoint.name = told.endpoint
    ORDER BY told."eventId", told.index, endpoint.id
    ON CONFLICT ("eventId", index, "endpointId") DO UPDATE SET label = excluded.label, "time" = excluded."time"
    WHERE old."time" < excluded."time"`;
  return new Set(endpoints.map(({ name }) => name));
}

/** One statement cannot write a row twice: the label of each prediction that counts. */
function latest(feedback: readonly Feedback[]): Label[] {
  const labels = new Map<string, Label>();
  for (const { endpoint, time, labels: told } of feedback)
    for (const { eventId, index, label } of told) {
      const key = `${endpoint} ${eventId.toLowerCase()} ${index}`;
      const other = labels.get(key);
      if (!other || other.time <= time) labels.set(key, { endpoint, eventId, index, label, time });
    }
  return [...labels.values()];
}
