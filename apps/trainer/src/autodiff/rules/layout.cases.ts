/** Points at which the gradients of operations that move elements are checked. */
import * as op from '../../ir/ops.ts';
import { type Cases, fill } from '../testing.ts';
import type * as rules from './layout.ts';

/** One list per rule. */
export const CASES: Cases<keyof typeof rules> = {
  Reshape: [{ inputs: [fill([2, 6])], build: (x) => op.Reshape(x, [3, 4]) }],
  Squeeze: [{ inputs: [fill([2, 1, 3, 1])], build: (x) => op.Squeeze(x, [1, -1]) }],
  Unsqueeze: [{ inputs: [fill([2, 3])], build: (x) => op.Unsqueeze(x, [0, -1]) }],
  Expand: [{ inputs: [fill([2, 1])], build: (x) => op.Expand(x, [3, 2, 4]) }],
  Transpose: [{ inputs: [fill([2, 3, 4])], build: (x) => op.Transpose(x, [2, 0, 1]) }],
  Concat: [{ inputs: [fill([2, 3]), fill([2, 1]), fill([2, 2])], build: (...x) => op.Concat(x, 1) }],
  Split: [
    { inputs: [fill([6, 2])], build: (x) => op.Split(x, [1, 3, 2], 0) },
    { inputs: [fill([2, 5])], build: (x) => op.Split(x, [2, 3], 1).slice(1) },
  ],
  Slice: [
    { inputs: [fill([4, 5])], build: (x) => op.Slice(x, [{ axis: 1, start: 1, end: 4 }]) },
    {
      inputs: [fill([4, 5])],
      build: (x) =>
        op.Slice(x, [
          { axis: -1, start: 0, end: 2 },
          { axis: 0, start: 2, end: 4 },
        ]),
    },
    {
      inputs: [fill([5, 6])],
      build: (x) =>
        op.Slice(x, [
          { axis: 0, start: 1, end: 5, step: 2 },
          { axis: 1, start: 0, end: 6, step: 3 },
        ]),
    },
  ],
  Pad: [{ inputs: [fill([2, 3])], build: (x) => op.Pad(x, [1, 0], [0, 2]) }],
  Tile: [{ inputs: [fill([2, 3])], build: (x) => op.Tile(x, [3, 2]) }],
};
