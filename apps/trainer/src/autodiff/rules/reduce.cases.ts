/** Points at which the gradients of operations that fold or normalise axes are checked. */
import * as op from '../../ir/ops.ts';
import { type Cases, fill } from '../testing.ts';
import type * as rules from './reduce.ts';

/** One list per rule. */
export const CASES: Cases<keyof typeof rules> = {
  ReduceSum: [
    { inputs: [fill([2, 3, 2])], build: (x) => op.ReduceSum(x) },
    { inputs: [fill([2, 3, 2])], build: (x) => op.ReduceSum(x, { axes: [1] }) },
    { inputs: [fill([2, 3, 2])], build: (x) => op.ReduceSum(x, { axes: [0, -1], keep: true }) },
    { inputs: [fill([2, 3])], build: (x) => op.ReduceSum(x, { axes: [] }) },
  ],
  ReduceMean: [
    { inputs: [fill([2, 3, 2])], build: (x) => op.ReduceMean(x, { axes: [0, 1] }) },
    { inputs: [fill([4])], build: (x) => op.ReduceMean(x, { keep: true }) },
  ],
  ReduceMax: [
    { inputs: [fill([2, 4])], build: (x) => op.ReduceMax(x, { axes: [1] }) },
    { inputs: [fill([2, 4])], build: (x) => op.ReduceMax(x, { axes: [0], keep: true }) },
  ],
  Softmax: [
    { inputs: [fill([2, 4])], build: (x) => op.Softmax(x) },
    { inputs: [fill([2, 3, 2])], build: (x) => op.Softmax(x, 1) },
  ],
  LogSoftmax: [{ inputs: [fill([2, 4])], build: (x) => op.LogSoftmax(x) }],
  ReduceMin: [{ inputs: [fill([2, 4])], build: (x) => op.ReduceMin(x, { axes: [1] }) }],
  ReduceSumSquare: [{ inputs: [fill([2, 4])], build: (x) => op.ReduceSumSquare(x, { axes: [0], keep: true }) }],
};
