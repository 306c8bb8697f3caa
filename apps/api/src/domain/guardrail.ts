/** The verbs createGuardrail and endGuardrail: a challenger is watched against the version that it is to replace. */
import { EndpointName, type Manifest } from '@anneal/edge/contract';
import { z } from 'zod';
import { VariantRole } from '../contract.ts';
import type { Deps } from '../deps.ts';
import { notFound, UserError } from '../errors.ts';
import type { Prisma } from '../generated/prisma/client.ts';
import { type RevisionContent, readRevision } from './endpoint.ts';
import { metricsOf } from './evaluation.ts';
import type { WatchedMetric } from './guardrail-counts.ts';
import type { Evidence, Verdict } from './guardrail-verdict.ts';
import { quantile } from './histogram.ts';
import { IdempotencyKey, idempotent } from './idempotency.ts';
import { globalId } from './ids.ts';
import { AnyManifest } from './variants.ts';

/** What the threshold of LATENCY is taken from when none is given. */
const THRESHOLD_QUANTILE = 0.95;
const THRESHOLD_DAYS = 7;
const THRESHOLD_REQUESTS = 100;
const DAY_MS = 86_400_000;

export const GuardrailMetricName = z.enum(['ERROR_RATE', 'LATENCY', 'QUALITY']);

/** Stored with a guardrail. */
export const GuardrailSettings = z.object({
  /** The challenger's when it began; another one ends it. */
  role: VariantRole,
  metrics: z.array(
    z.object({
      metric: GuardrailMetricName,
      margin: z.number(),
      thresholdMs: z.number().nullable(),
      tolerance: z.number().nullable(),
    }),
  ),
  alpha: z.number(),
  minSamples: z.int(),
  maxDays: z.number(),
  act: z.boolean(),
});
export type GuardrailSettings = z.infer<typeof GuardrailSettings>;

/** Why a guardrail does not watch any more. */
export type GuardrailEnd = 'ACTED' | 'EXPIRED' | 'NOT_SERVED' | 'CANCELED';

/** Where it stands; `{}` before it has looked for the first time. */
export interface GuardrailState {
  verdict?: Verdict;
  evidence?: Evidence[];
  /** Milliseconds that the last count took. */
  countedInMs?: number;
  ended?: GuardrailEnd;
}

const Metric = z.object({
  metric: GuardrailMetricName,
  margin: z
    .number()
    .min(0)
    .max(1, 'expected a share, 0 to 1')
    .nullish()
    .transform((margin) => margin ?? 0),
  thresholdMs: z.number().positive().nullish(),
  tolerance: z.number().min(0).nullish(),
});

/** Input of {@link createGuardrail}. */
export const CreateGuardrailInput = z.object({
  endpoint: EndpointName,
  challenger: globalId('ModelVersion'),
  baseline: globalId('ModelVersion').nullish(),
  metrics: z
    .array(Metric)
    .min(1)
    .refine((all) => new Set(all.map(({ metric }) => metric)).size === all.length, 'expected each metric once at most'),
  alpha: z
    .number()
    .min(1e-6)
    .max(0.2, 'expected a chance of a wrong verdict of at most 0.2')
    .nullish()
    .transform((alpha) => alpha ?? 0.05),
  minSamples: z
    .int()
    .min(1)
    .max(1_000_000)
    .nullish()
    .transform((minSamples) => minSamples ?? 30),
  maxDays: z
    .number()
    .positive()
    .max(28, 'expected at most 28 days: events are counted, which are kept for 30')
    .nullish()
    .transform((days) => days ?? 14),
  act: z
    .boolean()
    .nullish()
    .transform((act) => act ?? false),
  idempotencyKey: IdempotencyKey,
});
type Input = z.output<typeof CreateGuardrailInput>;

/** Begins to watch: what happens from now on counts. @throws UserError */
export async function createGuardrail(deps: Deps, projectId: string, input: Input): Promise<{ guardrailId: string }> {
  const { id } = await idempotent(deps, { projectId, mutation: 'createGuardrail', input }, async (tx) => {
    const [endpoint] = await tx.$queryRaw<{ id: string; revision: number }[]>`
      SELECT id::text, revision FROM "Endpoint"
      WHERE name = ${input.endpoint} AND "projectId" = ${projectId}::uuid FOR UPDATE`;
    if (!endpoint) throw notFound('Endpoint', ['endpoint']);
    const served = await readRevision(tx, endpoint.id, { number: endpoint.revision });
    const { role, baselineId } = placesOf(served, input);
    const other = await tx.guardrail.findFirst({
      where: { endpointId: endpoint.id, modelVersionId: input.challenger, status: 'ACTIVE' },
    });
    if (other)
      throw new UserError('GUARDRAIL_EXISTS', 'This challenger is watched already: end that guardrail first.', [
        'challenger',
      ]);
    const of = { endpointId: endpoint.id, baselineId, challengerId: input.challenger, role };
    const metrics: WatchedMetric[] = [];
    for (const [i, metric] of input.metrics.entries())
      metrics.push(await completed({ ...deps, tx }, metric, { ...of, field: ['metrics', String(i)] }));
    const { alpha, minSamples, maxDays, act } = input;
    const settings: GuardrailSettings = { role, metrics, alpha, minSamples, maxDays, act };
    const since = deps.now();
    const { id: guardrailId } = await tx.guardrail.create({
      data: { endpointId: endpoint.id, modelVersionId: input.challenger, baselineId, settings, since },
      select: { id: true },
    });
    return guardrailId;
  });
  return { guardrailId: id };
}

/** What challenger and baseline are at the endpoint. @throws UserError NOT_SERVED, SAME_VERSION */
function placesOf(served: RevisionContent | undefined, { challenger, baseline }: Input) {
  const variants = served?.variants ?? [];
  const has = (of: readonly { modelVersionId: string }[], id: string) => of.some((v) => v.modelVersionId === id);
  const role: VariantRole | undefined = has(variants, challenger)
    ? 'PRIMARY'
    : has(served?.shadows ?? [], challenger)
      ? 'SHADOW'
      : undefined;
  if (!role)
    throw new UserError('NOT_SERVED', 'The endpoint does not serve this version: deploy it as a variant or a shadow.', [
      'challenger',
    ]);
  if (baseline === challenger)
    throw new UserError('SAME_VERSION', 'A version cannot be compared with itself.', ['baseline']);
  const others = variants.filter(({ modelVersionId }) => modelVersionId !== challenger);
  const [largest] = others.toSorted((a, b) => b.weight - a.weight);
  const baselineId = baseline ?? largest?.modelVersionId;
  if (!baselineId || !has(others, baselineId))
    throw new UserError('NOT_SERVED', 'No such version answers at the endpoint beside the challenger.', ['baseline']);
  return { role, baselineId };
}

interface Place {
  endpointId: string;
  baselineId: string;
  challengerId: string;
  role: VariantRole;
  field: string[];
}

/** The metric with what is not given taken from the baseline. @throws UserError */
async function completed(
  deps: Pick<Deps, 'blobs' | 'now'> & { tx: Prisma.TransactionClient },
  { metric, margin, ...given }: z.output<typeof Metric>,
  place: Place,
): Promise<WatchedMetric> {
  const plain = { metric, margin, thresholdMs: null, tolerance: null };
  const misplaced = metric === 'LATENCY' ? 'tolerance' : metric === 'QUALITY' ? 'thresholdMs' : undefined;
  for (const name of ['thresholdMs', 'tolerance'] as const)
    if (given[name] != null && (metric === 'ERROR_RATE' || name === misplaced))
      throw new UserError('INVALID_INPUT', `${metric} takes no ${name}.`, [...place.field, name]);
  if (metric === 'LATENCY') return { ...plain, thresholdMs: await thresholdOf(deps, given.thresholdMs, place) };
  if (metric === 'QUALITY') return { ...plain, tolerance: await toleranceOf(deps, given.tolerance, place) };
  return plain;
}

async function thresholdOf(
  { tx, now }: Pick<Deps, 'now'> & { tx: Prisma.TransactionClient },
  given: number | null | undefined,
  { endpointId, baselineId, role, field }: Place,
): Promise<number> {
  if (role === 'SHADOW')
    throw new UserError(
      'NOT_COMPARABLE',
      'A shadow runs after the answer, without what a request waits for: watch its LATENCY as a variant.',
      [...field, 'metric'],
    );
  if (given != null) return given;
  const minute = { gte: new Date(now().getTime() - THRESHOLD_DAYS * DAY_MS) };
  const rollups = await tx.trafficRollup.findMany({
    where: { endpointId, modelVersionId: baselineId, role: 'PRIMARY', minute },
    select: { latency: true },
  });
  const bins: number[] = [];
  for (const { latency } of rollups) for (const [bin, count] of latency.entries()) bins[bin] = (bins[bin] ?? 0) + count;
  const histogram = Array.from(bins, (count) => count ?? 0);
  const requests = histogram.reduce((sum, count) => sum + count, 0);
  const threshold = quantile(histogram, THRESHOLD_QUANTILE);
  if (threshold === null || requests < THRESHOLD_REQUESTS)
    throw new UserError(
      'THRESHOLD_NEEDED',
      `The baseline had ${requests} requests in ${THRESHOLD_DAYS} days, too few to take its p95 for the threshold ` +
        `(${THRESHOLD_REQUESTS}): give thresholdMs.`,
      [...field, 'thresholdMs'],
    );
  return threshold / 1000;
}

async function toleranceOf(
  deps: Pick<Deps, 'blobs'> & { tx: Prisma.TransactionClient },
  given: number | null | undefined,
  { baselineId, challengerId, field }: Place,
): Promise<number | null> {
  const manifests: Manifest[] = [];
  for (const id of [baselineId, challengerId]) {
    const { manifest } = await deps.tx.modelVersion.findUniqueOrThrow({ where: { id }, select: { manifest: true } });
    const parsed = AnyManifest.parse(manifest);
    if ('kind' in parsed)
      throw new UserError('NO_LABELS', 'A version that answers tensors has no labels to judge its quality by.', [
        ...field,
        'metric',
      ]);
    manifests.push(parsed);
  }
  if (manifests[0]?.task !== 'REGRESSION') {
    if (given == null) return null;
    throw new UserError('INVALID_INPUT', 'Only a REGRESSION takes a tolerance: labels are right or wrong.', [
      ...field,
      'tolerance',
    ]);
  }
  if (given != null) return given;
  const evaluation = await deps.tx.evaluation.findFirst({
    where: { modelVersionId: baselineId, source: 'HOLDOUT' },
    orderBy: { id: 'desc' },
  });
  const metrics = evaluation && (await metricsOf(deps, { evaluation, positiveClass: null, threshold: null, at: null }));
  const mae = metrics?.kind === 'VALUES' ? metrics.mae.value : null;
  if (mae !== null) return mae;
  throw new UserError('TOLERANCE_NEEDED', 'The baseline has no HOLDOUT evaluation to take its MAE from: give one.', [
    ...field,
    'tolerance',
  ]);
}

/** Input of {@link endGuardrail}. */
export const EndGuardrailInput = z.object({ guardrailId: globalId('Guardrail') });

/** Stops watching; one that has ended stays as it is. @throws UserError */
export async function endGuardrail(
  deps: Deps,
  projectId: string,
  { guardrailId }: z.output<typeof EndGuardrailInput>,
): Promise<{ guardrailId: string }> {
  await deps.prisma.$transaction(async (tx) => {
    await tx.$queryRaw`SELECT id FROM "Guardrail" WHERE id = ${guardrailId}::uuid FOR UPDATE`;
    const guardrail = await tx.guardrail.findFirst({ where: { id: guardrailId, endpoint: { projectId } } });
    if (!guardrail) throw notFound('Guardrail', ['guardrailId']);
    if (guardrail.status === 'ENDED') return;
    await endedBecause(tx, deps.now(), guardrail, 'CANCELED');
  });
  return { guardrailId };
}

/** Writes the end; the row is locked by the caller. */
export async function endedBecause(
  tx: Prisma.TransactionClient,
  now: Date,
  { id, state }: { id: string; state: unknown },
  ended: GuardrailEnd,
): Promise<void> {
  const last: GuardrailState = typeof state === 'object' && state !== null ? state : {};
  await tx.guardrail.update({
    where: { id },
    data: { status: 'ENDED', endedAt: now, state: { ...last, ended } as unknown as Prisma.InputJsonObject },
  });
}
