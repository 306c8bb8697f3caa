/** The threshold of a binary classifier, chosen on validation rows, never on test. Pure. */
import type { RunSpec } from '../contract.ts';

/** Below this a chosen threshold fits noise. */
export const MIN_ROWS = 200;

/** Where nothing better is known, and for every objective that does not depend on the threshold's place. */
const DEFAULT = 0.5;

/**
 * `positive`: probabilities of the positive class; `truth`: 1 where a row is of it. Null for tasks without a threshold.
 */
export function chooseThreshold(
  spec: Pick<RunSpec, 'task' | 'objective'>,
  positive: ArrayLike<number>,
  truth: ArrayLike<number>,
): number | null {
  if (spec.task !== 'BINARY') return null;
  if (spec.objective !== 'F1_MACRO' || truth.length < MIN_ROWS) return DEFAULT;
  return bestForMacroF1(positive, truth);
}

/** Sweeps all cuts between distinct probabilities from the top down; the cut nearest to 0.5 wins ties. */
function bestForMacroF1(positive: ArrayLike<number>, truth: ArrayLike<number>): number {
  const order = Array.from({ length: truth.length }, (_, row) => row);
  order.sort((a, b) => (positive[b] ?? 0) - (positive[a] ?? 0));
  const positives = Array.from(truth).reduce((sum, t) => sum + t, 0);
  const negatives = truth.length - positives;
  let best = { f1: -1, threshold: DEFAULT };
  let hits = 0;
  for (let above = 1; above < order.length; above++) {
    const row = order[above - 1] ?? 0;
    hits += truth[row] ?? 0;
    const high = positive[row] ?? 0;
    const low = positive[order[above] ?? 0] ?? 0;
    if (high === low) continue;
    const misses = above - hits;
    const f1 = hits / (above + positives) + (negatives - misses) / (order.length - above + negatives);
    const threshold = (high + low) / 2;
    const nearer = Math.abs(threshold - DEFAULT) < Math.abs(best.threshold - DEFAULT);
    if (f1 > best.f1 || (f1 === best.f1 && nearer)) best = { f1, threshold };
  }
  return best.threshold;
}
