/**
 * What a trainer writes while it works. Every write names run and attempt and is refused once another attempt has begun
 * or the run has ended: a process that was taken for dead cannot write over its successor.
 */
import { z } from 'zod';
import type { Caller } from '../context.ts';
import type { Deps } from '../deps.ts';
import { UserError } from '../errors.ts';
import { Prisma } from '../generated/prisma/client.ts';
import { LEASE_SECONDS } from './claim.ts';
import { globalId } from './ids.ts';
import { trainableRun } from './run-access.ts';
import { usableUpload } from './upload.ts';

/** Who writes. */
export const AttemptInput = z.object({ runId: globalId('Run'), attempt: z.int().min(1) });
const Progress = z.number().min(0).max(1);

/** Input of {@link heartbeatRun}. */
export const HeartbeatRunInput = AttemptInput.extend({ progress: Progress.nullish() });

/** Input of {@link reportMetrics}. */
export const ReportMetricsInput = AttemptInput.extend({
  points: z
    .array(
      z.object({
        name: z.string().regex(/^[a-zA-Z][\w./-]{0,99}$/, 'expected 1-100 of letters, digits, ".", "_", "/" and "-"'),
        step: z
          .int()
          .min(0)
          .max(2 ** 31 - 1),
        value: z.number(),
      }),
    )
    .max(5_000),
  progress: Progress.nullish(),
  engine: z.string().max(50).nullish(),
  device: z.string().max(200).nullish(),
  score: z.number().nullish(),
});

/** Input of {@link saveCheckpoint}. */
export const SaveCheckpointInput = AttemptInput.extend({
  step: z
    .int()
    .min(0)
    .max(2 ** 31 - 1),
  uploadToken: globalId('Upload'),
});

/** Input of {@link failRun}. */
export const FailRunInput = AttemptInput.extend({
  code: z.string().regex(/^[A-Z][A-Z0-9_]{0,63}$/, 'expected a code such as DIVERGED'),
  message: z.string().max(10_000),
});

/** The error of every write that comes too late. */
export function staleAttempt(): UserError {
  return new UserError(
    'STALE_ATTEMPT',
    'This attempt no longer owns the run: another one has begun, or the run has ended. Stop working on it.',
    ['attempt'],
  );
}

type Attempt = z.output<typeof AttemptInput>;
type Owner = { cancelRequestedAt: Date | null };

/** The fence and the lease in one: extends the lease and applies `set`, if the attempt still owns the run. */
export async function ownedWrite(
  tx: Pick<Prisma.TransactionClient, '$queryRaw'>,
  { runId, attempt }: Attempt,
  set: Prisma.Sql = Prisma.empty,
): Promise<Owner> {
  const [owner] = await tx.$queryRaw<Owner[]>`
    UPDATE "Run" SET "leaseExpiresAt" = now() + make_interval(secs => ${LEASE_SECONDS}) ${set}
    WHERE id = ${runId}::uuid AND attempt = ${attempt} AND status = 'RUNNING'
    RETURNING "cancelRequestedAt"`;
  if (!owner) throw staleAttempt();
  return owner;
}

/** For {@link ownedWrite}: the objective on VALIDATION at its best so far. */
export const scoreSet = (score: number | null | undefined) =>
  score == null ? Prisma.empty : Prisma.sql`, score = ${score}::double precision`;

const progressSet = (progress: number | null | undefined) =>
  progress == null ? Prisma.empty : Prisma.sql`, progress = ${progress}::double precision`;

/** Keeps the lease; answers whether the owner wants the run canceled. */
export async function heartbeatRun(
  deps: Deps,
  caller: Caller,
  input: z.output<typeof HeartbeatRunInput>,
): Promise<{ ok: true; cancelRequested: boolean }> {
  await trainableRun(deps, caller, input.runId);
  const { cancelRequestedAt } = await ownedWrite(deps.prisma, input, progressSet(input.progress));
  if (input.progress != null) await deps.pubsub.publish('run', input.runId);
  return { ok: true, cancelRequested: cancelRequestedAt !== null };
}

/** Stores points; a point that is there already is replaced, so a batch may be sent again. */
export async function reportMetrics(
  deps: Deps,
  caller: Caller,
  input: z.output<typeof ReportMetricsInput>,
): Promise<{ ok: true; cancelRequested: boolean }> {
  await trainableRun(deps, caller, input.runId);
  // One statement cannot write a row twice: of equal (name, step) the last point counts.
  const points = [...new Map(input.points.map((point) => [`${point.step} ${point.name}`, point])).values()];
  const set = Prisma.sql`${progressSet(input.progress)}${scoreSet(input.score)},
    engine = COALESCE(${input.engine ?? null}::text, engine), device = COALESCE(${input.device ?? null}::text, device)`;
  const owner = await deps.prisma.$transaction(async (tx) => {
    const found = await ownedWrite(tx, input, set);
    if (points.length)
      await tx.$executeRaw`
      INSERT INTO "RunMetric" ("runId", name, step, value)
      SELECT ${input.runId}::uuid, p.name, p.step, p.value
      FROM unnest(${points.map((p) => p.name)}::text[], ${points.map((p) => p.step)}::int[],
                  ${points.map((p) => p.value)}::double precision[]) AS p(name, step, value)
      ON CONFLICT ("runId", name, step) DO UPDATE SET value = EXCLUDED.value`;
    return found;
  });
  await deps.pubsub.publish('run', input.runId);
  return { ok: true, cancelRequested: owner.cancelRequestedAt !== null };
}

/** Checkpoints kept per run: the newest to go on from, the one before it in case that one turns out unreadable. */
const KEPT = 2;

/** Names uploaded bytes as the state to go on from. */
export async function saveCheckpoint(
  deps: Deps,
  caller: Caller,
  input: z.output<typeof SaveCheckpointInput>,
): Promise<{ ok: true }> {
  const { runId, attempt, step } = input;
  const { projectId } = await trainableRun(deps, caller, runId);
  await deps.prisma.$transaction(async (tx) => {
    await ownedWrite(tx, input);
    const upload = await usableUpload(tx, { id: input.uploadToken, projectId }, ['uploadToken']);
    const data = { attempt, digest: upload.digest, byteLength: upload.byteLength };
    await tx.checkpoint.upsert({
      where: { runId_step: { runId, step } },
      create: { runId, step, ...data },
      update: data,
    });
    const old = await tx.checkpoint.findMany({
      where: { runId },
      orderBy: { step: 'desc' },
      skip: KEPT,
      select: { id: true },
    });
    await tx.checkpoint.deleteMany({ where: { id: { in: old.map(({ id }) => id) } } });
  });
  return { ok: true };
}

/** Ends the run without a version: CANCELED for that code, FAILED for any other. Saying the same twice is fine. */
export async function failRun(
  deps: Deps,
  caller: Caller,
  input: z.output<typeof FailRunInput>,
): Promise<{ runId: string }> {
  const { runId, attempt, code, message } = input;
  await trainableRun(deps, caller, runId);
  const canceled = code === 'CANCELED';
  const data = {
    status: canceled ? 'CANCELED' : 'FAILED',
    errorCode: canceled ? null : code,
    errorMessage: canceled ? null : message,
  } as const;
  const { count } = await deps.prisma.run.updateMany({
    where: { id: runId, attempt, status: 'RUNNING' },
    data: { ...data, finishedAt: deps.now(), leaseExpiresAt: null },
  });
  if (count) await deps.pubsub.publish('run', runId);
  else if (!(await deps.prisma.run.findFirst({ where: { id: runId, attempt, ...data } }))) throw staleAttempt();
  return { runId };
}
