/** Metrics of probabilities: log loss and the area under the ROC curve. They do not depend on a threshold. Pure. */
import { bootstrap, type Estimate, rowResamples, undefinedEstimate } from './estimate.ts';

/** What the probabilities alone are worth. */
export interface ProbabilityMetrics {
  /** Mean of -ln p(true class). */
  logLoss: Estimate;
  /** The chance that a positive row scores above a negative one; null unless there are two classes. */
  rocAuc: Estimate | null;
}

/** Keeps log(0) out: the smallest step of a double, as scikit-learn's log_loss. */
const EPSILON = Number.EPSILON;

/** Both metrics from one bootstrap over the rows. `positive` is the index of the positive class of two, else null. */
export function probabilityMetrics(
  truth: ArrayLike<number>,
  probabilities: readonly (readonly number[])[],
  positive: number | null,
): ProbabilityMetrics {
  const n = probabilities.length;
  const curve = positive === null ? null : rankRows(truth, probabilities, positive);
  const order = curve?.order ?? Uint32Array.from(probabilities.keys());
  const losses = Float64Array.from(order, (row) => clippedLoss(probabilities[row]?.[truth[row] ?? 0] ?? 0));
  const statistics = (weight: Uint16Array) => [
    n === 0 ? null : weightedSum(losses, weight) / n,
    curve === null ? null : weightedAuc(curve, weight),
  ];
  const drawn = new Uint16Array(n);
  const [logLoss, rocAuc] = bootstrap(statistics(new Uint16Array(n).fill(1)), n, rowResamples(n), (random) => {
    drawn.fill(0);
    for (let i = 0; i < n; i++) {
      const row = random.below(n);
      drawn[row] = (drawn[row] ?? 0) + 1;
    }
    return statistics(drawn);
  });
  const none = undefinedEstimate(n);
  return { logLoss: logLoss ?? none, rocAuc: curve === null ? null : (rocAuc ?? none) };
}

function clippedLoss(p: number): number {
  return -Math.log(Math.min(1 - EPSILON, Math.max(EPSILON, p)));
}

function weightedSum(values: Float64Array, weight: Uint16Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] ?? 0) * (weight[i] ?? 0);
  return sum;
}

/** Rows in ascending order of their score; rows of equal score are one step of the curve. */
interface RankedRows {
  order: Uint32Array;
  positive: Uint8Array;
  endsTie: Uint8Array;
}

function rankRows(
  truth: ArrayLike<number>,
  probabilities: readonly (readonly number[])[],
  positive: number,
): RankedRows {
  const score = Float64Array.from(probabilities, (row) => row[positive] ?? 0);
  const order = Uint32Array.from(probabilities.keys()).sort((a, b) => (score[a] ?? 0) - (score[b] ?? 0));
  return {
    order,
    positive: Uint8Array.from(order, (row) => (truth[row] === positive ? 1 : 0)),
    endsTie: Uint8Array.from(order, (row, i) => (score[row] === score[order[i + 1] ?? -1] ? 0 : 1)),
  };
}

// Mann-Whitney: U / (positives x negatives), ties half; the row of rank i counts `weight[i]` times. Null where a
// class has no row.
function weightedAuc({ positive, endsTie }: RankedRows, weight: Uint16Array): number | null {
  let [pairs, positives, negatives] = [0, 0, 0];
  let [tiedPositives, tiedNegatives] = [0, 0];
  for (let i = 0; i < positive.length; i++) {
    const times = weight[i] ?? 0;
    if (positive[i] === 1) tiedPositives += times;
    else tiedNegatives += times;
    if (endsTie[i] === 0) continue;
    pairs += tiedPositives * (negatives + tiedNegatives / 2);
    positives += tiedPositives;
    negatives += tiedNegatives;
    tiedPositives = 0;
    tiedNegatives = 0;
  }
  return positives === 0 || negatives === 0 ? null : pairs / (positives * negatives);
}
