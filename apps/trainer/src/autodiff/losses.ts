/** Losses as graph fragments: the mean over the rows of a batch, each counted with its weight. */
import type { Loss } from '../contract/run-spec.ts';
import type { Value } from '../ir/builder.ts';
import { GraphError } from '../ir/errors.ts';
import * as op from '../ir/ops.ts';
import type { DataType } from '../ir/types.ts';

/** Logits [B,outputs] and labels [B] to one loss per row [B]. */
type RowLoss = (logits: Value, labels: Value) => Value;

// -[y log s(z) + (1-y) log(1-s(z))] = softplus(z) - yz: exact for logits of any size.
const bceWithLogits: RowLoss = (logits, labels) => {
  const z = op.Squeeze(logits, [1]);
  return op.Sub(op.Softplus(z), op.Mul(z, op.Cast(labels, z.type)));
};

// One-hot by comparison: it needs no scatter in the gradient and exists on every execution provider.
const softmaxCrossEntropy: RowLoss = (logits, labels) => {
  const classes = logits.shape[1];
  if (typeof classes !== 'number') throw new GraphError('softmax cross-entropy: the number of classes must be known');
  const all = labels.graph.constant(
    'INT32',
    [1, classes],
    Int32Array.from({ length: classes }, (_, index) => index),
  );
  const hot = op.Cast(op.Equal(op.Unsqueeze(labels, [1]), all), logits.type);
  return op.Neg(op.ReduceSum(op.Mul(hot, op.LogSoftmax(logits)), { axes: [1] }));
};

const squaredError: RowLoss = (logits, labels) => {
  const difference = op.Sub(op.Squeeze(logits, [1]), labels);
  return op.Mul(difference, difference);
};

const LOSSES: Record<Loss, { rows: RowLoss; labels: DataType }> = {
  BCE_WITH_LOGITS: { rows: bceWithLogits, labels: 'INT32' },
  SOFTMAX_CROSS_ENTROPY: { rows: softmaxCrossEntropy, labels: 'INT32' },
  MSE: { rows: squaredError, labels: 'FLOAT' },
};

/** Element type of a loss's labels: class indices, or the values themselves. */
export function labelType(loss: Loss): DataType {
  return LOSSES[loss].labels;
}

/**
 * Sum of weight x loss over the rows, divided by the sum of weights: rows of weight 0 are as if they were not there.
 */
export function meanLoss(loss: Loss, { logits, labels, weight }: Record<'logits' | 'labels' | 'weight', Value>): Value {
  return logits.graph.scope('loss', () => {
    const rows = LOSSES[loss].rows(logits, labels);
    return op.Div(op.ReduceSum(op.Mul(rows, weight)), op.ReduceSum(weight));
  });
}
