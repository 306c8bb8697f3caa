/**
 * Rungs of successive halving: a trial says how it stands, its search says whether it goes on. Trials of one experiment
 * are judged one after the other, so the order of their reports decides, not the luck of two at once.
 */
import { z } from 'zod';
import type { Caller } from '../context.ts';
import type { Deps } from '../deps.ts';
import { UserError } from '../errors.ts';
import type { Prisma } from '../generated/prisma/client.ts';
import { proceeds } from './asha.ts';
import { AttemptInput, ownedWrite, scoreSet } from './attempt.ts';
import { NIL } from './ids.ts';
import { trainableRun } from './run-access.ts';
import { higherIsBetter, StoredSearch } from './search.ts';

/** Input of {@link reportRung}. */
export const ReportRungInput = AttemptInput.extend({
  epoch: z.int().min(1).max(100_000),
  score: z.number(),
});
type Input = z.output<typeof ReportRungInput>;

/** What `errorCode` says of a trial that its search ended. */
export const STOPPED_EARLY = 'STOPPED_EARLY';

/** Keeps the score and answers the decision; a trial that does not go on is CANCELED with it. May be asked again. */
export async function reportRung(deps: Deps, caller: Caller, input: Input): Promise<{ proceeds: boolean }> {
  await trainableRun(deps, caller, input.runId);
  const decision = await deps.prisma.$transaction(async (tx) => {
    await ownedWrite(tx, input, scoreSet(input.score));
    return await decide(tx, deps.now(), input);
  });
  await deps.pubsub.publish('run', input.runId);
  return { proceeds: decision };
}

async function decide(tx: Prisma.TransactionClient, now: Date, { runId, epoch, score }: Input): Promise<boolean> {
  const before = await tx.rung.findUnique({ where: { runId_epoch: { runId, epoch } } });
  if (before) return before.proceeds;
  const run = await tx.run.findUniqueOrThrow({ where: { id: runId }, select: { experimentId: true } });
  const experimentId = run.experimentId ?? NIL; // an import has no rungs
  await tx.$queryRaw`SELECT id FROM "Experiment" WHERE id = ${experimentId}::uuid FOR UPDATE`;
  const experiment = await tx.experiment.findUnique({ where: { id: experimentId } });
  const halving = StoredSearch.nullable().parse(experiment?.search ?? null)?.halving;
  if (!experiment || !halving?.rungs.includes(epoch))
    throw new UserError('INVALID_INPUT', `Its search has no rung at epoch ${epoch}, only at ${halving?.rungs ?? []}.`, [
      'epoch',
    ]);
  const others = await tx.rung.findMany({
    where: { epoch, runId: { not: runId }, run: { experimentId } },
    select: { score: true },
  });
  const scores = others.map((other) => other.score);
  const { reductionFactor } = halving;
  const goesOn = proceeds(score, scores, { reductionFactor, higherIsBetter: higherIsBetter(experiment.objective) });
  await tx.rung.create({ data: { runId, epoch, score, proceeds: goesOn } });
  if (!goesOn) {
    const errorMessage =
      `After ${epoch} epochs its ${experiment.objective} on validation was ${score}, not in the best ` +
      `1/${reductionFactor} of the ${scores.length + 1} trials that came so far. ` +
      'Retry the run to let it go on all the same.';
    const ended = { status: 'CANCELED', errorCode: STOPPED_EARLY, errorMessage, finishedAt: now } as const;
    await tx.run.update({ where: { id: runId }, data: { ...ended, leaseExpiresAt: null } });
  }
  return goesOn;
}

/** A finished trial stands on every rung that it did not need to reach: later ones are compared with it too. */
export async function standOnAllRungs(
  tx: Prisma.TransactionClient,
  { runId, score, rungs }: { runId: string; score: number; rungs: number[] },
): Promise<void> {
  const data = rungs.map((epoch) => ({ runId, epoch, score, proceeds: true }));
  await tx.rung.createMany({ data, skipDuplicates: true });
}
