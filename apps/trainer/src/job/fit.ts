/**
 * The training loop: epochs of shuffled batches in chunks, validation at epoch ends, early stopping, the best state
 * kept. Everything that decides bytes happens at epoch ends, so the clock (chunk sizes, checkpoints) decides none.
 * Knows no file, no API and no column.
 */
import type { RunSpec } from '../contract.ts';
import { Epoch, type Examples } from '../data/batches.ts';
import type { Pace, Trainer } from '../engine/index.ts';
import { JobFailure } from '../failure.ts';
import { Random } from '../random.ts';
import type { Progress } from './checkpoint.ts';
import { better, scoreOf, type Validation } from './validate.ts';

/** A compiled training with its data, its judge and its listeners. */
export interface FitOptions {
  spec: RunSpec;
  trainer: Trainer;
  /** How many steps go into one chunk. */
  pace: Pace;
  examples: Examples;
  batchSize: number;
  /** Judges parameters on the validation rows; null where there are none. */
  validate: ((params: Float32Array) => Promise<Validation>) | null;
  from: Progress;
  /** After each chunk: `epochs` done, with fractions. */
  onStep: (epochs: number) => void;
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
export type Stop = 'MAX_EPOCHS' | 'PATIENCE' | 'MAX_SECONDS';

/** Trains to the budget's end. Answers the parameters to publish: the best by validation, or the last without. */
export async function fit(options: FitOptions): Promise<{ params: Float32Array; stop: Stop; progress: Progress }> {
  const { spec, validate } = options;
  const { maxEpochs, maxSeconds, patience } = spec.budget;
  const began = performance.now();
  const seconds = () => options.from.seconds + (performance.now() - began) / 1000;
  const late = () => maxSeconds !== null && seconds() >= maxSeconds;
  const losses = { last: Number.NaN };
  let progress = options.from;
  let stop: Stop = 'MAX_EPOCHS';
  while (progress.epoch < maxEpochs) {
    if (waited(progress, patience)) {
      stop = 'PATIENCE';
      break;
    }
    const { state, trainLoss } = await runEpoch({ ...options, losses, late }, progress);
    const validation = validate && (await validate(state.params));
    if (validation && !Number.isFinite(validation.loss)) throw diverged(state.step, 'validation loss', trainLoss);
    const epoch = progress.epoch + 1;
    const score = validation && scoreOf(validation, spec.objective);
    const best =
      score && (!progress.best || better(score, progress.best.score))
        ? { params: state.params, score, epoch }
        : progress.best;
    progress = { state, epoch, best, seconds: seconds() };
    const { learningRate } = spec.optimizer;
    options.onEpoch({ epoch, step: state.step, trainLoss, learningRate, validation }, progress);
    if (late()) {
      stop = 'MAX_SECONDS';
      break;
    }
  }
  return { params: progress.best?.params ?? progress.state.params, stop, progress };
}

/** True when the objective has not improved for `patience` epochs. */
function waited({ epoch, best }: Progress, patience: number | null): boolean {
  return patience !== null && best !== null && epoch - best.epoch >= patience;
}

/** One pass over the examples; cut short only when a wall-clock budget ends. */
async function runEpoch(
  options: FitOptions & { losses: { last: number }; late: () => boolean },
  { state: start, epoch }: Progress,
) {
  const { spec, trainer, examples, batchSize, pace, losses, late } = options;
  const order = Random.from(spec.seed, `shuffle/${epoch}`).permutation(examples.count);
  const batches = new Epoch(examples, batchSize, order);
  const { learningRate } = spec.optimizer;
  let state = start;
  let lossSum = 0;
  let rows = 0;
  for (let step = 0; step < batches.steps && !(step > 0 && late()); ) {
    const steps = pace.next(batches.steps - step);
    const chunk = { ...batches.chunk(step, steps), learningRate };
    const began = performance.now();
    const result = await trainer.run(state, chunk);
    pace.measured(steps, performance.now() - began);
    for (const [i, loss] of result.losses.entries()) {
      if (!Number.isFinite(loss)) throw diverged(state.step + i + 1, 'training loss', losses.last);
      lossSum += loss * batches.rowsIn(step + i);
      rows += batches.rowsIn(step + i);
      losses.last = loss;
    }
    state = result.state;
    step += steps;
    options.onStep(epoch + step / batches.steps);
  }
  return { state, trainLoss: lossSum / rows };
}

function diverged(step: number, what: string, last: number): JobFailure {
  const before = Number.isFinite(last)
    ? `The last finite loss was ${last.toPrecision(6)}.`
    : 'No loss was finite before.';
  const advice = 'Lower the learning rate, or use preprocessing AUTO where the columns are of very different sizes.';
  return new JobFailure('DIVERGED', `The ${what} is no finite number at step ${step}. ${before} ${advice}`);
}
