/** Dropout (Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html), inverted and stateless. */
import { dropoutMask } from '../../autodiff/dropout.ts';
import type { Value } from '../../ir/builder.ts';
import * as op from '../../ir/ops.ts';
import type { Module } from '../module.ts';

/**
 * In training a share `rate` of the numbers is 0 and the others are divided by 1 - rate, so that the sum stays as it
 * was; which ones follows from the step and the place alone, so that a resumed run drops the same.
 */
export function dropout(m: Module, x: Value, rate: number): Value {
  const seed = rate > 0 ? m.seed() : null;
  return seed ? op.Mul(x, dropoutMask(x, rate, seed)) : x;
}
