/** Runs as their owners see them: cancel, retry, follow. What trainers do is in claim, attempt and publish. */
import { z } from 'zod';
import { type Caller, projectOf } from '../context.ts';
import type { Deps } from '../deps.ts';
import { notFound, UserError } from '../errors.ts';
import type { Prisma, Run } from '../generated/prisma/client.ts';
import { globalId } from './ids.ts';
import { listen } from './news.ts';

/** Attempts that an expired lease may use up before the run fails: a poisonous run must not go round for ever. */
export const ATTEMPTS = 3;

/** Input of cancelRun and retryRun. */
export const RunInput = z.object({ runId: globalId('Run') });
type Input = z.output<typeof RunInput>;

/** A queued run is canceled at once; a running one as soon as its trainer hears of it. */
export async function cancelRun(deps: Deps, caller: Caller, { runId }: Input): Promise<{ runId: string }> {
  await deps.prisma.$transaction(async (tx) => {
    const run = await lockOwnRun(tx, caller, runId);
    const now = deps.now();
    if (run.status === 'QUEUED')
      await tx.run.update({ where: { id: runId }, data: { status: 'CANCELED', finishedAt: now } });
    else if (run.status === 'RUNNING')
      await tx.run.update({ where: { id: runId }, data: { cancelRequestedAt: run.cancelRequestedAt ?? now } });
    else if (run.status !== 'CANCELED')
      throw new UserError('RUN_ENDED', `The run has ended: it is ${run.status}.`, ['runId']);
  });
  await deps.pubsub.publish('run', runId);
  return { runId };
}

/** Queues a failed or canceled run again: same spec and seed. Attempts go on counting, so old ones stay refused. */
export async function retryRun(deps: Deps, caller: Caller, { runId }: Input): Promise<{ runId: string }> {
  await deps.prisma.$transaction(async (tx) => {
    const { status, attempt } = await lockOwnRun(tx, caller, runId);
    if (status !== 'FAILED' && status !== 'CANCELED')
      throw new UserError('RUN_NOT_ENDED', `Only FAILED and CANCELED runs are retried; this one is ${status}.`, [
        'runId',
      ]);
    // Whoever retries a trial that its search has stopped overrules that decision.
    await tx.rung.updateMany({ where: { runId, proceeds: false }, data: { proceeds: true } });
    await tx.run.update({
      where: { id: runId },
      data: {
        status: 'QUEUED',
        maxAttempt: attempt + ATTEMPTS,
        progress: 0,
        score: null,
        cancelRequestedAt: null,
        leaseOwner: null,
        leaseExpiresAt: null,
        errorCode: null,
        errorMessage: null,
        startedAt: null,
        finishedAt: null,
      },
    });
  });
  await deps.pubsub.publish('queue', runId);
  await deps.pubsub.publish('run', runId);
  return { runId };
}

async function lockOwnRun(tx: Prisma.TransactionClient, caller: Caller, id: string): Promise<Run> {
  await tx.$queryRaw`SELECT id FROM "Run" WHERE id = ${id}::uuid FOR UPDATE`;
  const run = await tx.run.findFirst({ where: { id, projectId: projectOf(caller) } });
  if (!run) throw notFound('Run', ['runId']);
  return run;
}

/** Even without news a follower looks this often: a lost notification may delay an update, not lose it. */
const LOOK_MS = 5_000;

/**
 * The run's id now and after every change, until the run has ended or the signal.
 * Nothing at all for runs of other projects.
 */
export async function* followRun(
  deps: Deps,
  caller: Caller,
  runId: string,
  signal?: AbortSignal,
): AsyncGenerator<string> {
  const projectId = projectOf(caller);
  const news = listen(deps.pubsub, 'run', { id: runId, signal });
  try {
    while (!signal?.aborted) {
      const run = await deps.prisma.run.findFirst({ where: { id: runId, projectId }, select: { status: true } });
      if (!run) return;
      yield runId;
      if (run.status !== 'QUEUED' && run.status !== 'RUNNING') return;
      await news.wait(LOOK_MS);
    }
  } finally {
    await news.close();
  }
}
