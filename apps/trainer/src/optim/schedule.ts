/** Learning rates: pure functions from a step's number to its rate, so that a resumed run needs no state for them. */
import type { Schedule } from '../contract/run-spec.ts';

/** What a schedule knows of the training. */
export interface Horizon {
  /** Of the optimiser: what the schedule scales. */
  readonly learningRate: number;
  /** The last step of the budget of epochs and steps. */
  readonly totalSteps: number;
  readonly stepsPerEpoch: number;
}

/** Of the decay after warm-up, for the share of the way (0..1) and the epochs done. */
function factorOf(decay: Schedule['decay'], way: number, epochs: number): number {
  if (decay.kind === 'CONSTANT') return 1;
  if (decay.kind === 'STEP') return decay.factor ** Math.floor(epochs / decay.everyEpochs);
  const left = decay.kind === 'LINEAR' ? 1 - way : (1 + Math.cos(Math.PI * way)) / 2;
  return decay.floor + (1 - decay.floor) * left;
}

/**
 * The rate of a step, counted from 0. Warm-up ends with the full rate; cosine (Loshchilov and Hutter,
 * https://arxiv.org/abs/1608.03983, without restarts) and line end with the floor at the last step.
 */
export function rateAt(schedule: Schedule | undefined, step: number, horizon: Horizon): number {
  const { learningRate, totalSteps, stepsPerEpoch } = horizon;
  if (!schedule) return learningRate;
  const { warmupSteps, decay } = schedule;
  if (step < warmupSteps) return (learningRate * (step + 1)) / warmupSteps;
  const way = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - 1 - warmupSteps));
  return learningRate * factorOf(decay, way, Math.floor(step / stepsPerEpoch));
}

/** The rates of so many steps from one on: one number where they are all the same. */
export function ratesOf(
  schedule: Schedule | undefined,
  steps: { readonly from: number; readonly count: number },
  horizon: Horizon,
): number | Float32Array {
  if (!schedule) return horizon.learningRate;
  return Float32Array.from({ length: steps.count }, (_, at) => rateAt(schedule, steps.from + at, horizon));
}
