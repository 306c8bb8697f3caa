/** GELU (Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415): x Phi(x). */
import { withGradient } from '../../autodiff/custom.ts';
import type { Value } from '../../ir/builder.ts';
import * as op from '../../ir/ops.ts';
import type { Module } from '../module.ts';

/**
 * In training composed, so that (x Phi(x))' = Phi(x) + x phi(x) has its Phi from the way forward (measured: 3 % of a
 * step of a small Transformer).
 */
export function gelu(m: Module, x: Value): Value {
  if (m.mode.kind === 'INFERENCE') return op.Gelu(x);
  const Phi = op.Mul(op.Add(op.Erf(op.Mul(x, Math.SQRT1_2)), 1), 0.5);
  return withGradient(op.Mul(x, Phi), [x], (dy) => {
    const bell = op.Exp(op.Mul(op.Mul(x, x), -0.5));
    return [op.Mul(dy, op.Add(Phi, op.Mul(op.Mul(x, 1 / Math.sqrt(2 * Math.PI)), bell)))];
  });
}
