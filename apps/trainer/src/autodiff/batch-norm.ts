/** Batch normalisation in training, composed of operations that every engine has, with its own short gradient. */
import type { Value } from '../ir/builder.ts';
import * as op from '../ir/ops.ts';
import { sizeOf } from '../ir/shapes.ts';
import { withGradient } from './custom.ts';
import { lengthsOf } from './rule.ts';

/** The normalised batch, and the statistics that running ones are updated with. */
export interface BatchNorm {
  /** In the shape of x. */
  readonly y: Value;
  /** [C] */
  readonly mean: Value;
  /** [C], of the population that the batch is a sample of: n / (n - 1) times the batch's own. */
  readonly variance: Value;
}

/**
 * gamma (x - mean) / sqrt(variance + epsilon) + beta per channel of x [N,C,...], with the statistics of the rows that
 * count: `weight` [N] is 0 for padding (Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167, algorithm 1).
 *
 * With n = sum of weights x places, x^ = (x - mean) / sd and g = gamma dy / sd, as in the paper:
 * dbeta = sum dy; dgamma = sum dy x^; dx = g - w (sum g + x^ sum g x^) / n.
 */
export function batchNormalization(
  x: Value,
  gamma: Value,
  beta: Value,
  weight: Value,
  { epsilon = 1e-5 }: { epsilon?: number } = {},
): BatchNorm {
  const [rows = 1, channels = 1, ...sides] = lengthsOf(x);
  const spatial = sides.map((_, axis) => axis + 2);
  const wide = (vector: Value) => op.Reshape(vector, [1, channels, ...sides.map(() => 1)]);
  const column = op.Reshape(weight, [rows, 1]);
  // A batch of padding alone has zeros for statistics instead of 0/0.
  const count = op.Max(op.Mul(op.ReduceSum(weight), sizeOf(sides)), 1e-12);
  // Folded over the places of each row first: the weights then meet [N,C] numbers and not the whole batch.
  const fold = (value: Value) => (spatial.length > 0 ? op.ReduceSum(value, { axes: spatial }) : value);
  const weighted = (folded: Value) => op.Div(op.ReduceSum(op.Mul(folded, column), { axes: [0] }), count);

  const mean = weighted(fold(x));
  const centred = op.Sub(x, wide(mean));
  const variance = weighted(
    spatial.length > 0 ? op.ReduceSumSquare(centred, { axes: spatial }) : op.Mul(centred, centred),
  );
  const deviation = op.Sqrt(op.Add(variance, epsilon));
  const scale = op.Div(gamma, deviation);
  const result = op.Add(op.Mul(centred, wide(scale)), wide(beta));
  const y = withGradient(result, [x, gamma, beta], (dy) => {
    const dbeta = op.ReduceSum(fold(dy), { axes: [0] });
    const slope = op.ReduceSum(fold(op.Mul(dy, centred)), { axes: [0] });
    const drift = op.Div(op.Mul(scale, dbeta), count);
    const turn = op.Div(op.Mul(scale, slope), op.Mul(op.Mul(deviation, deviation), count));
    const tall = op.Reshape(weight, [rows, ...[channels, ...sides].map(() => 1)]);
    const shift = op.Add(op.Mul(centred, op.Mul(tall, wide(turn))), op.Mul(tall, wide(drift)));
    return [op.Sub(op.Mul(dy, wide(scale)), shift), op.Div(slope, deviation), dbeta];
  });
  const unbiased = op.Div(count, op.Max(op.Sub(count, 1), 1));
  return { y, mean, variance: op.Mul(variance, unbiased) };
}
