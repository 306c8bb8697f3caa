/**
 * The training loop: epochs of shuffled batches in chunks, validation at epoch ends, early stopping, the best state
 * kept. Everything that decides bytes happens at epoch ends, so the clock (chunk sizes, checkpoints) decides none.
 * Knows no file, no API and no column.
 */
import type { RunSpec } from '../contract.ts';
import { Epoch } from '../data/batches.ts';
import type { Examples } from '../data/examples.ts';
import type { Engine } from '../engine/index.ts';
import { JobFailure } from '../failure.ts';
import { type Horizon, rateAt, ratesOf } from '../optim/schedule.ts';
import { weightsOf } from '../optim/state.ts';
import { Random } from '../random.ts';
import type { Weights } from '../zoo/network.ts';
import type { Progress } from './checkpoint.ts';
import type { Programs } from './programs.ts';
import { better, scoreOf, type Validation } from './validate.ts';

/** A compiled training with its data, its judge and its listeners. */
export interface FitOptions {
  spec: RunSpec;
  programs: Pick<Programs, 'trainer'>;
  /** The engine's: where the state lives during an epoch. */
  hold: Engine['hold'];
  examples: Examples;
  batchSize: number;
  /** Judges weights on the validation rows; null where there are none. */
  validate: ((weights: Weights) => Promise<Validation>) | null;
  from: Progress;
  /** Before each epoch; throws when the training shall end here, without a model. */
  goOn?: (progress: Progress) => Promise<void>;
  /** After each chunk: `epochs` done, with fractions, and optimiser steps. */
  onStep: (epochs: number, steps: number) => void;
  /** After each epoch. */
  onEpoch: (report: EpochReport, progress: Progress) => void;
}

/** One epoch in numbers. */
export interface EpochReport {
  epoch: number;
  step: number;
  trainLoss: number;
  learningRate: number;
  validation: Validation | null;
}

/** Why the training ended; part of the log, not of the model. */
export type Stop = 'MAX_EPOCHS' | 'MAX_STEPS' | 'PATIENCE' | 'MAX_SECONDS';

/** Trains to the budget's end. Answers the weights to publish: the best by validation, or the last without. */
export async function fit(options: FitOptions): Promise<{ weights: Weights; stop: Stop; progress: Progress }> {
  const { spec, validate } = options;
  const { maxSeconds } = spec.budget;
  const began = performance.now();
  const seconds = () => options.from.seconds + (performance.now() - began) / 1000;
  const late = () => maxSeconds !== null && seconds() >= maxSeconds;
  const losses = { last: Number.NaN };
  let progress = options.from;
  let stop = stopOf(progress, spec.budget);
  while (!stop) {
    await options.goOn?.(progress);
    const { state, trainLoss } = await runEpoch({ ...options, losses, late }, progress);
    const weights = weightsOf(state);
    const validation = validate && (await validate(weights));
    if (validation && !Number.isFinite(validation.loss)) throw diverged(state.step, 'validation loss', trainLoss);
    const epoch = progress.epoch + 1;
    const score = validation && scoreOf(validation, spec.objective);
    const best =
      score && (!progress.best || better(score, progress.best.score)) ? { ...weights, score, epoch } : progress.best;
    progress = { state, epoch, best, seconds: seconds() };
    const learningRate = rateAt(spec.schedule, Math.max(0, state.step - 1), horizonOf(options));
    options.onEpoch({ epoch, step: state.step, trainLoss, learningRate, validation }, progress);
    stop = late() ? 'MAX_SECONDS' : stopOf(progress, spec.budget);
  }
  return { weights: progress.best ?? weightsOf(progress.state), stop, progress };
}

/** Why no further epoch follows; null when one does. Patience: epochs in a row without a better objective. */
function stopOf({ state, epoch, best }: Progress, { maxEpochs, maxSteps, patience }: RunSpec['budget']): Stop | null {
  if (epoch >= maxEpochs) return 'MAX_EPOCHS';
  if (maxSteps !== undefined && state.step >= maxSteps) return 'MAX_STEPS';
  return patience !== null && best !== null && epoch - best.epoch >= patience ? 'PATIENCE' : null;
}

/** One pass over the examples, or its beginning where the budget of steps or seconds ends. */
async function runEpoch(
  options: FitOptions & { losses: { last: number }; late: () => boolean },
  { state: start, epoch }: Progress,
) {
  const { spec, programs, examples, batchSize, losses, late } = options;
  const order = Random.from(spec.seed, `shuffle/${epoch}`).permutation(examples.count);
  const batches = new Epoch(examples, batchSize, order);
  const horizon = horizonOf(options);
  const held = await options.hold(start);
  let lossSum = 0;
  let rows = 0;
  const end = Math.min(batches.steps, (spec.budget.maxSteps ?? Number.POSITIVE_INFINITY) - start.step);
  for (let step = 0; step < end && !(step > 0 && late()); ) {
    const { trainer, pace } = await programs.trainer(batches.lengthOf(step));
    const steps = pace.next(Math.min(end - step, batches.alike(step)));
    const learningRate = ratesOf(spec.schedule, { from: start.step + step, count: steps }, horizon);
    const chunk = { ...batches.chunk(step, steps), learningRate };
    const began = performance.now();
    const chunkLosses = await trainer.step(held, chunk);
    pace.measured(steps, performance.now() - began);
    for (const [i, loss] of chunkLosses.entries()) {
      if (!Number.isFinite(loss)) throw diverged(start.step + step + i + 1, 'training loss', losses.last);
      lossSum += loss * batches.rowsIn(step + i);
      rows += batches.rowsIn(step + i);
      losses.last = loss;
    }
    step += steps;
    options.onStep(epoch + step / batches.steps, start.step + step);
  }
  const state = await held.read();
  await held.close();
  return { state, trainLoss: lossSum / rows };
}

/** What the schedule of the learning rate depends on; nothing of it on the clock. */
function horizonOf({ spec, examples, batchSize }: Pick<FitOptions, 'spec' | 'examples' | 'batchSize'>): Horizon {
  const stepsPerEpoch = Math.ceil(examples.count / batchSize);
  const { maxEpochs, maxSteps } = spec.budget;
  const totalSteps = Math.min(maxEpochs * stepsPerEpoch, maxSteps ?? Number.POSITIVE_INFINITY);
  return { learningRate: spec.optimizer.learningRate, totalSteps, stepsPerEpoch };
}

function diverged(step: number, what: string, last: number): JobFailure {
  const before = Number.isFinite(last)
    ? `The last finite loss was ${last.toPrecision(6)}.`
    : 'No loss was finite before.';
  const advice = 'Lower the learning rate, or use preprocessing AUTO where the columns are of very different sizes.';
  return new JobFailure('DIVERGED', `The ${what} is no finite number at step ${step}. ${before} ${advice}`);
}
