/**
 * Raw inputs on their way in, and out again when their time is over. What the endpoint's settings did not ask for is
 * never stored, whoever sends it.
 */
import type { Sample } from '../contract.ts';
import type { Deps } from '../deps.ts';
import type { Prisma } from '../generated/prisma/client.ts';
import { settingsOf } from './endpoint-settings.ts';
import type { Ingested } from './prediction-events.ts';

const DAY_MS = 86_400_000;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const INT4_MAX = 2 ** 31 - 1;

/** Stores rows under ids that follow from event and index: any batch may be sent any number of times. */
export async function ingestSamples(
  deps: Pick<Deps, 'prisma' | 'now' | 'log'>,
  samples: readonly Sample[],
): Promise<Ingested> {
  if (samples.length === 0) return { accepted: 0, duplicates: 0, dropped: 0 };
  const askers = await readAskers(deps, samples.filter(isStorable));
  let [accepted, dropped] = [0, 0];
  for (const sample of samples) {
    const asker = isStorable(sample) ? askers.get(keyOf(sample)) : undefined;
    const expiresAt = new Date(Date.parse(sample.time) + (asker?.days ?? 0) * DAY_MS);
    if (!asker || expiresAt <= deps.now()) {
      dropped++;
      continue;
    }
    const { count } = await deps.prisma.sampledInput.createMany({
      data: rowsOf(sample, asker.endpointId, expiresAt),
      skipDuplicates: true,
    });
    if (count > 0) accepted++;
  }
  if (dropped > 0)
    deps.log.warn('samples dropped: unknown endpoint or version, not asked for by its settings, or expired', {
      dropped,
    });
  return { accepted, duplicates: samples.length - accepted - dropped, dropped };
}

/** Deletes the raw inputs whose time is over; answers how many. */
export async function deleteExpiredSamples(deps: Pick<Deps, 'prisma' | 'now'>): Promise<number> {
  const { count } = await deps.prisma.sampledInput.deleteMany({ where: { expiresAt: { lte: deps.now() } } });
  return count;
}

const isStorable = ({ modelVersionId, endpoint, revision }: Sample) =>
  UUID.test(modelVersionId) && endpoint.isWellFormed() && !endpoint.includes('\0') && revision <= INT4_MAX;
const keyOf = ({ endpoint, revision, modelVersionId }: Sample) => `${endpoint} ${revision} ${modelVersionId}`;

/** The endpoint and its retention where the revision asked for samples and serves the version. */
async function readAskers({ prisma }: Pick<Deps, 'prisma'>, samples: readonly Sample[]) {
  const unique = new Map(samples.map((sample) => [keyOf(sample), sample]));
  const revisions = await prisma.endpointRevision.findMany({
    where: {
      OR: [...unique.values()].map(({ endpoint, revision, modelVersionId }) => ({
        number: revision,
        endpoint: { name: endpoint },
        variants: { some: { modelVersionId } },
      })),
    },
    select: {
      number: true,
      settings: true,
      endpoint: { select: { id: true, name: true } },
      variants: { select: { modelVersionId: true } },
    },
  });
  const askers = new Map<string, { endpointId: string; days: number }>();
  for (const { number, settings, endpoint, variants } of revisions) {
    const { samples: asked } = settingsOf(settings);
    for (const { modelVersionId } of asked ? variants : [])
      askers.set(`${endpoint.name} ${number} ${modelVersionId}`, {
        endpointId: endpoint.id,
        days: asked?.retentionDays ?? 0,
      });
  }
  return askers;
}

function rowsOf(sample: Sample, endpointId: string, expiresAt: Date): Prisma.SampledInputCreateManyInput[] {
  return sample.rows.map(({ index, instance }) => ({
    id: rowId(sample.id, index),
    ...{ endpointId, modelVersionId: sample.modelVersionId, eventId: sample.id, index, expiresAt },
    instance: storable(instance),
    time: new Date(sample.time),
  }));
}

/** The event's id with the index in the place of its first 12 random bits: sorts by time, then by index. */
function rowId(eventId: string, index: number): string {
  return `${eventId.slice(0, 15)}${index.toString(16).padStart(3, '0')}${eventId.slice(18)}`;
}

/** PostgreSQL cannot hold NUL and halves of surrogate pairs. */
function storable(instance: Record<string, unknown>): Prisma.InputJsonObject {
  const text = (value: string) => value.replaceAll('\0', '\ufffd').toWellFormed();
  const clean = JSON.stringify(instance, (_key, value) => {
    if (typeof value === 'string') return text(value);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [text(key), inner]));
  });
  return JSON.parse(clean);
}
