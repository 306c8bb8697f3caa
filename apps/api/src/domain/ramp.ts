/** Ramps: a version's share of an endpoint that grows by a plan. Each step is a revision; the row says what is next. */
import { z } from 'zod';
import type { Deps } from '../deps.ts';
import { notFound, UserError } from '../errors.ts';
import type { Prisma } from '../generated/prisma/client.ts';
import { MAX_VARIANTS } from './deploy.ts';
import { addRevision, nextRevision, type RevisionContent, readRevision } from './endpoint.ts';
import { IdempotencyKey, idempotent } from './idempotency.ts';
import { globalId } from './ids.ts';
import { repeatRevision } from './rollback.ts';
import { served } from './served.ts';
import { checkVariants } from './variants.ts';

const HOUR = 3600;
const MAX_STEPS = 50;
const MAX_SECONDS = 30 * 24 * HOUR;

/** A step: the share of the requests, and how many seconds until the next one. */
export const RampStep = z.object({
  share: z.number().positive().max(1, 'expected a share of the requests, above 0 and at most 1'),
  seconds: z.int().min(0).max(MAX_SECONDS),
});
export type RampStep = z.infer<typeof RampStep>;

/** Steps of a ramp that names none. */
export const DEFAULT_STEPS: RampStep[] = [0.01, 0.1, 0.5, 1].map((share) => ({ share, seconds: HOUR }));

/** The steps of a row. */
export function stepsOf(stored: unknown): RampStep[] {
  return z.array(RampStep).parse(stored);
}

const rising = (steps: RampStep[]) => steps.every(({ share }, i) => i === 0 || share > (steps[i - 1]?.share ?? 0));

/** Input of {@link startRamp}. */
export const StartRampInput = z.object({
  endpoint: z.string(),
  modelVersionId: globalId('ModelVersion'),
  steps: z
    .array(RampStep)
    .min(1)
    .max(MAX_STEPS)
    .refine(rising, 'expected shares that rise from step to step')
    .nullish()
    .transform((steps) => steps ?? DEFAULT_STEPS),
  idempotencyKey: IdempotencyKey,
});

/** Serves the first step; returns when the edge does. The scheduler does the rest. @throws UserError */
export async function startRamp(
  deps: Deps,
  projectId: string,
  input: z.output<typeof StartRampInput>,
): Promise<{ endpointId: string }> {
  const { endpoint: name, modelVersionId, steps } = input;
  const { id } = await idempotent(deps, { projectId, mutation: 'startRamp', input }, async (tx) => {
    const next = await nextRevision(tx, { projectId, name });
    if (!next) throw notFound('Endpoint', ['endpoint']);
    const now = await readRevision(tx, next.id, { before: next.revision });
    await checkRamp(tx, { projectId, endpointId: next.id, modelVersionId, now });
    const ramp = await tx.ramp.create({
      data: { endpointId: next.id, modelVersionId, steps, revision: next.revision },
    });
    return await writeStep(tx, { ...ramp, steps, step: 0 }, { number: next.revision, now: deps.now() });
  });
  return await served(deps, name, id);
}

async function checkRamp(
  tx: Prisma.TransactionClient,
  of: { projectId: string; endpointId: string; modelVersionId: string; now: RevisionContent | undefined },
): Promise<void> {
  const { projectId, endpointId, modelVersionId, now } = of;
  const others = (now?.variants ?? []).filter((variant) => variant.modelVersionId !== modelVersionId);
  const named = (versions: { modelVersionId: string }[]) =>
    versions.map((version) => ({ modelVersionId: version.modelVersionId, field: ['modelVersionId'] }));
  await checkVariants(tx, projectId, named([...others, { modelVersionId }]));
  if (others.length === 0)
    throw new UserError(
      'NOTHING_TO_RAMP',
      'No other version is deployed that this one could take requests from: deploy it.',
      ['endpoint'],
    );
  if (others.length >= MAX_VARIANTS)
    throw new UserError('TOO_MANY_VARIANTS', `The endpoint has ${others.length} other versions: deploy fewer first.`, [
      'endpoint',
    ]);
  if (await tx.ramp.findFirst({ where: { endpointId, status: 'RUNNING' }, select: { id: true } }))
    throw new UserError('RAMP_RUNNING', 'A ramp of the endpoint is running: cancelRamp ends it.', ['endpoint']);
}

/** A ramp and the step that is to be served. */
interface Step {
  id: string;
  endpointId: string;
  modelVersionId: string;
  steps: RampStep[];
  step: number;
}

/** Writes the step's revision and what is next; answers the revision's id. The endpoint's row must be locked. */
async function writeStep(
  tx: Prisma.TransactionClient,
  { id, endpointId, modelVersionId, steps, step }: Step,
  { number, now }: { number: number; now: Date },
): Promise<string> {
  const before = await readRevision(tx, endpointId, { before: number });
  const { share = 1, seconds = 0 } = steps[step] ?? {};
  const last = step >= steps.length - 1;
  await tx.ramp.update({
    where: { id },
    data: {
      step,
      revision: number,
      ...(last
        ? { status: 'FINISHED', nextAt: null, finishedAt: now }
        : { nextAt: new Date(now.getTime() + seconds * 1000) }),
    },
  });
  const variants = withShare(before?.variants ?? [], modelVersionId, share);
  const shadows = (before?.shadows ?? []).filter((shadow) => shadow.modelVersionId !== modelVersionId);
  return await addRevision(tx, { endpointId, number, reason: 'RAMP', variants, shadows });
}

/**
 * The version has that share, the others keep their proportions in the rest. It stands last, so that its part of the
 * routeKeys only grows: who has met it stays with it.
 */
export function withShare(
  variants: RevisionContent['variants'],
  modelVersionId: string,
  share: number,
): RevisionContent['variants'] {
  const others = variants.filter((variant) => variant.modelVersionId !== modelVersionId);
  if (share >= 1 || others.length === 0) return [{ modelVersionId, weight: 1 }];
  const total = others.reduce((sum, { weight }) => sum + weight, 0);
  const rest = others.map((variant) => ({ ...variant, weight: (variant.weight / total) * (1 - share) }));
  return [...rest, { modelVersionId, weight: share }];
}

/** Input of {@link cancelRamp}. */
export const CancelRampInput = z.object({ endpoint: z.string(), rollBack: z.boolean().nullish() });

/**
 * Ends the ramp that runs. What is served stays, or with `rollBack` is again what was served before the ramp; then it
 * returns when the edge does. @throws UserError
 */
export async function cancelRamp(
  deps: Deps,
  projectId: string,
  { endpoint: name, rollBack }: z.output<typeof CancelRampInput>,
): Promise<{ endpointId: string }> {
  const { endpointId, revisionId } = await deps.prisma.$transaction(async (tx) => {
    const [endpoint] = await tx.$queryRaw<{ id: string; revision: number }[]>`
      SELECT id::text, revision FROM "Endpoint"
      WHERE name = ${name} AND "projectId" = ${projectId}::uuid FOR UPDATE`;
    if (!endpoint) throw notFound('Endpoint', ['endpoint']);
    const ramp = await tx.ramp.findFirst({ where: { endpointId: endpoint.id, status: 'RUNNING' } });
    if (!ramp) throw new UserError('NO_RAMP', 'No ramp of the endpoint is running.', ['endpoint']);
    if (rollBack) {
      const next = await nextRevision(tx, { projectId, name });
      if (!next) throw notFound('Endpoint', ['endpoint']);
      // Writing another revision than a step's ends the ramp.
      const id = await repeatRevision(tx, next, (await firstRevision(tx, ramp)) - 1);
      return { endpointId: endpoint.id, revisionId: id };
    }
    const end = { status: 'CANCELED', nextAt: null, finishedAt: deps.now() } as const;
    await tx.ramp.update({ where: { id: ramp.id }, data: end });
    return { endpointId: endpoint.id, revisionId: undefined };
  });
  return revisionId ? await served(deps, name, revisionId) : { endpointId };
}

/** Number of the revision of a ramp's first step: each of its steps wrote one, and no other ramp did meanwhile. */
async function firstRevision(
  tx: Prisma.TransactionClient,
  { endpointId, revision, step }: { endpointId: string; revision: number; step: number },
): Promise<number> {
  const first = await tx.endpointRevision.findFirstOrThrow({
    where: { endpointId, reason: 'RAMP', number: { lte: revision } },
    orderBy: { number: 'desc' },
    skip: step,
    select: { number: true },
  });
  return first.number;
}

/** A ramp whose time has come, taken a step further. */
export interface Stepped {
  id: string;
  name: string;
  revision: number;
}

/**
 * Takes every ramp whose time has come one step further, each in a transaction of its own. Any number of processes may
 * do it: the endpoint's row lock is passed over where another one holds it, and the step is judged under it.
 */
export async function stepRamps(deps: Pick<Deps, 'prisma' | 'now'>): Promise<Stepped[]> {
  const due = await deps.prisma.ramp.findMany({
    where: { status: 'RUNNING', nextAt: { lte: deps.now() } },
    orderBy: { nextAt: 'asc' },
    select: { id: true, endpointId: true },
  });
  const stepped: Stepped[] = [];
  for (const { id, endpointId } of due) {
    const one = await deps.prisma.$transaction(async (tx) => {
      // First the endpoint, then the ramp, as whoever deploys: so nobody waits for each other.
      const [endpoint] = await tx.$queryRaw<{ name: string; projectId: string }[]>`
        SELECT name, "projectId"::text FROM "Endpoint" WHERE id = ${endpointId}::uuid FOR UPDATE SKIP LOCKED`;
      const now = deps.now();
      const ramp = endpoint && (await tx.ramp.findFirst({ where: { id, status: 'RUNNING', nextAt: { lte: now } } }));
      const next = ramp && (await nextRevision(tx, endpoint));
      if (!ramp || !next) return undefined;
      const steps = stepsOf(ramp.steps);
      await writeStep(tx, { ...ramp, steps, step: ramp.step + 1 }, { number: next.revision, now });
      return { id: endpointId, name: endpoint.name, revision: next.revision };
    });
    if (one) stepped.push(one);
  }
  return stepped;
}
