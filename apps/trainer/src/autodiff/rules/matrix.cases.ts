/** Points at which the gradients of matrix products are checked. */
import * as op from '../../ir/ops.ts';
import { type Cases, fill } from '../testing.ts';
import type * as rules from './matrix.ts';

/** One list per rule. */
export const CASES: Cases<keyof typeof rules> = {
  MatMul: [
    { inputs: [fill([2, 3]), fill([3, 4])], build: op.MatMul },
    { inputs: [fill([2, 5, 3]), fill([3, 2])], build: op.MatMul },
    { inputs: [fill([2, 1, 2, 3]), fill([4, 3, 2])], build: op.MatMul },
  ],
  Gemm: [
    { inputs: [fill([2, 3]), fill([3, 4]), fill([4])], build: (a, b, c) => op.Gemm(a, b, c && { c }) },
    { inputs: [fill([3, 2]), fill([3, 4])], build: (a, b) => op.Gemm(a, b, { transA: true }) },
    { inputs: [fill([2, 3]), fill([4, 3]), fill([2, 1])], build: (a, b, c) => op.Gemm(a, b, { c, transB: true }) },
    {
      inputs: [fill([3, 2]), fill([4, 3]), fill([])],
      build: (a, b, c) => op.Gemm(a, b, { c, transA: true, transB: true }),
    },
  ],
};
