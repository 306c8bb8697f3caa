/** Losses as graph fragments: the mean over the rows of a batch, each counted with its weight. */
import { type Loss, type LossSettings, lossProblem } from '../contract/run-spec.ts';
import type { Value } from '../ir/builder.ts';
import { GraphError } from '../ir/errors.ts';
import * as op from '../ir/ops.ts';
import type { DataType } from '../ir/types.ts';
import { withGradient } from './custom.ts';
import type { Target } from './rule.ts';
import { logSoftmax, softplus } from './stable.ts';

/** What a loss is made of. */
interface Rows {
  /** [B,outputs] */
  readonly logits: Value;
  /** [B] */
  readonly labels: Value;
  readonly settings: LossSettings;
  readonly target: Target;
}

/** One loss per row [B], and how much the row counts beside its weight where the label decides that [B]. */
interface RowLosses {
  readonly rows: Value;
  readonly counts?: Value;
}

// -[p y log s(z) + (1-y) log(1-s(z))] = (1 + (p-1) y) softplus(z) - p y z: exact for logits of any size.
function bceWithLogits({ logits, labels, settings, target }: Rows): RowLosses {
  const { positiveWeight = 1, labelSmoothing = 0 } = settings;
  const z = op.Squeeze(logits, [1]);
  const hard = op.Cast(labels, z.type);
  const y = labelSmoothing > 0 ? op.Add(op.Mul(hard, 1 - labelSmoothing), labelSmoothing / 2) : hard;
  if (positiveWeight === 1) {
    const rows = op.Sub(softplus(z, target), op.Mul(z, y));
    return { rows: withGradient(rows, [z], (dy) => [op.Mul(dy, op.Sub(op.Sigmoid(z), y))]) };
  }
  const factor = op.Add(op.Mul(y, positiveWeight - 1), 1);
  return { rows: op.Sub(op.Mul(factor, softplus(z, target)), op.Mul(op.Mul(z, y), positiveWeight)) };
}

// -sum over classes k of w_k q_k log softmax(z)_k, q the label smoothed; the mean is over the weights of the labels.
function softmaxCrossEntropy({ logits, labels, settings, target }: Rows): RowLosses {
  const { labelSmoothing = 0, classWeights } = settings;
  const { hot, classes } = oneHot(logits, labels);
  const q = labelSmoothing > 0 ? op.Add(op.Mul(hot, 1 - labelSmoothing), labelSmoothing / classes) : hot;
  const log = logSoftmax(logits, target);
  const logs = op.Mul(q, log);
  if (!classWeights) {
    const rows = op.Neg(op.ReduceSum(logs, { axes: [1] }));
    // q sums to 1
    const slope = (dy: Value) => op.Mul(op.Sub(op.Exp(log), q), op.Unsqueeze(dy, [1]));
    return { rows: withGradient(rows, [logits], (dy) => [slope(dy)]) };
  }
  const { weights, counts } = weighing(hot, classWeights);
  return { rows: op.Neg(op.ReduceSum(op.Mul(logs, weights), { axes: [1] })), counts };
}

/**
 * -(1-p)^gamma log p, p the probability of the label (Lin et al. 2017, https://arxiv.org/abs/1708.02002, equation 4).
 * Two classes: with t = z or -z, log p = -softplus(-t) and log(1-p) = -softplus(t), exact for logits of any size.
 */
function focal({ logits, labels, settings, target }: Rows): RowLosses {
  const { focalGamma: gamma = 2, positiveWeight = 1, classWeights } = settings;
  if (logits.shape[1] === 1) {
    const y = op.Cast(labels, logits.type);
    const t = op.Mul(op.Squeeze(logits, [1]), op.Sub(op.Mul(y, 2), 1));
    const rows = op.Mul(op.Exp(op.Mul(softplus(t, target), -gamma)), softplus(op.Neg(t), target));
    return { rows: positiveWeight === 1 ? rows : op.Mul(rows, op.Add(op.Mul(y, positiveWeight - 1), 1)) };
  }
  const { hot } = oneHot(logits, labels);
  const log = op.ReduceSum(op.Mul(hot, logSoftmax(logits, target)), { axes: [1] });
  // Not below the smallest step of float32 under 1, because a power of 0 has no slope.
  const rest = op.Max(op.Sub(1, op.Exp(log)), 2 ** -24);
  const rows = op.Neg(op.Mul(gamma === 0 ? op.Add(op.Mul(rest, 0), 1) : op.Pow(rest, gamma), log));
  if (!classWeights) return { rows };
  const { counts } = weighing(hot, classWeights);
  return { rows: op.Mul(rows, counts), counts };
}

function squaredError({ logits, labels }: Rows): RowLosses {
  const difference = op.Sub(op.Squeeze(logits, [1]), labels);
  return { rows: op.Mul(difference, difference) };
}

// d^2 / 2 for |d| <= delta, else delta (|d| - delta / 2) (Huber 1964), = a (|d| - a / 2) with a = min(|d|, delta).
function huber({ logits, labels, settings }: Rows): RowLosses {
  const { huberDelta = 1 } = settings;
  const distance = op.Abs(op.Sub(op.Squeeze(logits, [1]), labels));
  const inner = op.Clip(distance, null, huberDelta);
  return { rows: op.Mul(inner, op.Sub(distance, op.Mul(inner, 0.5))) };
}

const LOSSES: Record<Loss, { rows: (rows: Rows) => RowLosses; labels: DataType }> = {
  BCE_WITH_LOGITS: { rows: bceWithLogits, labels: 'INT32' },
  SOFTMAX_CROSS_ENTROPY: { rows: softmaxCrossEntropy, labels: 'INT32' },
  FOCAL: { rows: focal, labels: 'INT32' },
  MSE: { rows: squaredError, labels: 'FLOAT' },
  HUBER: { rows: huber, labels: 'FLOAT' },
};

/** Element type of a loss's labels: class indices, or the values themselves. */
export function labelType(loss: Loss): DataType {
  return LOSSES[loss].labels;
}

/** A batch as a loss sees it. */
export interface Batch {
  /** [B,outputs] */
  readonly logits: Value;
  /** [B] */
  readonly labels: Value;
  /** [B] */
  readonly weight: Value;
}

/** How a loss is computed. */
export interface LossOptions {
  readonly settings?: LossSettings | undefined;
  readonly target?: Target | undefined;
}

/** A mean in two parts, so that the parts of several batches can be added. */
export interface Total {
  /** Sum of weight x loss. */
  readonly sum: Value;
  /** Sum of weights. */
  readonly count: Value;
}

/** Sum of weight x loss over the rows, and sum of weights: rows of weight 0 are as if they were not there. */
export function totalLoss(loss: Loss, { logits, labels, weight }: Batch, options: LossOptions = {}): Total {
  const { settings = {}, target = 'CPU' } = options;
  const problem = lossProblem(loss, settings);
  if (problem) throw new GraphError(`loss: ${problem}`);
  return logits.graph.scope('loss', () => {
    const { rows, counts } = LOSSES[loss].rows({ logits, labels, settings, target });
    const counted =
      settings.ignoreIndex === undefined ? weight : op.Mul(weight, others(labels, settings.ignoreIndex, weight));
    const count = op.ReduceSum(counts ? op.Mul(counted, counts) : counted);
    // A batch in which nothing counts has the loss 0, not 0/0; one of only padding is refused by the engines.
    const safe = counted === weight && !counts ? count : op.Max(count, 1e-12);
    const sum = op.ReduceSum(op.Mul(rows, counted));
    return { sum: withGradient(sum, [rows], (dy) => [op.Mul(counted, dy)]), count: safe };
  });
}

/** The mean of `totalLoss`. */
export function meanLoss(loss: Loss, batch: Batch, options: LossOptions = {}): Value {
  const { sum, count } = totalLoss(loss, batch, options);
  return op.Div(sum, count);
}

/** One-hot by comparison: it needs no scatter in the gradient and exists on every execution provider. */
function oneHot(logits: Value, labels: Value): { hot: Value; classes: number } {
  const classes = logits.shape[1];
  if (typeof classes !== 'number') throw new GraphError('loss: the number of classes must be known');
  const all = labels.graph.constant(
    'INT32',
    [1, classes],
    Int32Array.from({ length: classes }, (_, index) => index),
  );
  return { hot: op.Cast(op.Equal(op.Unsqueeze(labels, [1]), all), logits.type), classes };
}

/** The classes' weights [1,C], and each row's: that of its label [B]. */
function weighing(hot: Value, classWeights: readonly number[]): { weights: Value; counts: Value } {
  if (classWeights.length !== hot.shape[1])
    throw new GraphError(`loss: expected ${hot.shape[1]} classWeights; got ${classWeights.length}`);
  const weights = hot.graph.constant(hot.type, [1, classWeights.length], classWeights);
  return { weights, counts: op.ReduceSum(op.Mul(hot, weights), { axes: [1] }) };
}

/** 1 where the label is another, 0 where it is this one. */
function others(labels: Value, index: number, like: Value): Value {
  return op.Cast(op.Not(op.Equal(labels, index)), like.type);
}
