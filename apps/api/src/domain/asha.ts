/**
 * Asynchronous successive halving, the stopping variant (Li et al. 2018, "A System for Massively Parallel
 * Hyperparameter Tuning", https://arxiv.org/abs/1810.05934): every trial runs until a rung tells it to stop. Pure.
 */

/** What decides the rungs; epochs. */
export interface Halving {
  minEpochs: number;
  maxEpochs: number;
  reductionFactor: number;
}

/** Epochs after which trials are compared: minEpochs times powers of the reduction factor, below maxEpochs. */
export function rungsOf({ minEpochs, maxEpochs, reductionFactor }: Halving): number[] {
  const rungs: number[] = [];
  for (let epoch = minEpochs; epoch < maxEpochs; epoch *= reductionFactor) rungs.push(epoch);
  return rungs;
}

/**
 * Whether a trial goes on from a rung: it is in the best 1/reductionFactor of all that came there so far, itself
 * included; at least the best one goes on, and equals fare equally.
 */
export function proceeds(
  own: number,
  others: readonly number[],
  { reductionFactor, higherIsBetter }: { reductionFactor: number; higherIsBetter: boolean },
): boolean {
  const better = others.filter((other) => (higherIsBetter ? other > own : other < own)).length;
  return better < Math.max(1, Math.floor((others.length + 1) / reductionFactor));
}
