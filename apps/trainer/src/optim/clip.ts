/** Gradient clipping as a graph fragment. */
import type { Value } from '../ir/builder.ts';
import * as op from '../ir/ops.ts';

/**
 * The gradient [P], shortened to the norm c where it is longer: g min(1, c / |g|) (Pascanu et al. 2013,
 * https://arxiv.org/abs/1211.5063, algorithm 1). 1e-6 keeps a zero gradient zero, as in PyTorch.
 */
export function clipped(gradient: Value, norm: number): Value {
  const length = op.Sqrt(op.ReduceSumSquare(gradient));
  return op.Mul(gradient, op.Min(op.Div(norm, op.Add(length, 1e-6)), 1));
}
