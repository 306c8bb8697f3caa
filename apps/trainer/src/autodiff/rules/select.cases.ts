/** Points at which the gradients of operations that pick or place elements are checked. */
import * as op from '../../ir/ops.ts';
import { type Cases, fill } from '../testing.ts';
import type * as rules from './select.ts';

/** One list per rule. */
export const CASES: Cases<keyof typeof rules> = {
  Gather: [
    { inputs: [fill([4, 3])], build: (x) => op.Gather(x, x.graph.constant('INT32', [2, 3], [0, 2, 2, 3, 2, 0])) },
    { inputs: [fill([2, 4, 3])], build: (x) => op.Gather(x, x.graph.constant('INT64', [5], [1, 1, 3, 0, 1]), 1) },
  ],
  GatherElements: [
    {
      inputs: [fill([2, 4])],
      build: (x) => op.GatherElements(x, x.graph.constant('INT64', [2, 3], [1, 1, 3, 0, 2, 0]), 1),
    },
    { inputs: [fill([3, 3])], build: (x) => op.GatherElements(x, x.graph.constant('INT64', [2, 2], [2, 2, 0, 2])) },
  ],
  ScatterElements: [
    {
      inputs: [fill([2, 4]), fill([2, 3])],
      build: (x, u) => op.ScatterElements(x, x.graph.constant('INT64', [2, 3], [1, 1, 3, 0, 2, 0]), u, 1),
    },
  ],
  GatherND: [
    { inputs: [fill([3, 2, 2])], build: (x) => op.GatherND(x, x.graph.constant('INT64', [4, 1], [0, 2, 2, 1])) },
    { inputs: [fill([3, 2])], build: (x) => op.GatherND(x, x.graph.constant('INT64', [2, 2], [0, 1, 2, 0])) },
  ],
  ScatterND: [
    {
      inputs: [fill([3, 2]), fill([3, 2])],
      build: (x, u) => op.ScatterND(x, x.graph.constant('INT64', [3, 1], [0, 2, 2]), u),
    },
    {
      inputs: [fill([3, 2]), fill([2])],
      build: (x, u) => op.ScatterND(x, x.graph.constant('INT64', [2, 2], [0, 1, 2, 0]), u, 'none'),
    },
  ],
  CumSum: [{ inputs: [fill([2, 4])], build: (x) => op.CumSum(x, 1) }],
};
