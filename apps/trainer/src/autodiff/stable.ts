/** Functions that overflow when written naively, in operations that the target has, with short gradients. */
import type { Value } from '../ir/builder.ts';
import * as op from '../ir/ops.ts';
import { withGradient } from './custom.ts';
import type { Target } from './rule.ts';

/** Logarithm of softmax along the last axis; WebGPU has no kernel for it. */
export function logSoftmax(x: Value, target: Target): Value {
  if (target === 'CPU') return op.LogSoftmax(x);
  const axes = [x.shape.length - 1];
  const shifted = op.Sub(x, op.ReduceMax(x, { axes, keep: true }));
  const y = op.Sub(shifted, op.Log(op.ReduceSum(op.Exp(shifted), { axes, keep: true })));
  return withGradient(y, [x], (dy) => [op.Sub(dy, op.Mul(op.Exp(y), op.ReduceSum(dy, { axes, keep: true })))]);
}

/** log(1 + e^x) = max(x, 0) + log(1 + e^-|x|) */
export function softplus(x: Value, target: Target): Value {
  if (target === 'CPU') return op.Softplus(x);
  const y = op.Add(op.Relu(x), op.Log(op.Add(op.Exp(op.Neg(op.Abs(x))), 1)));
  return withGradient(y, [x], (dy) => [op.Mul(dy, op.Sigmoid(x))]);
}
