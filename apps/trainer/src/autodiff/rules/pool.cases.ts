/** Points at which the gradients of pools are checked. */
import type { Value } from '../../ir/builder.ts';
import * as op from '../../ir/ops.ts';
import { type Cases, distinct, fill } from '../testing.ts';
import type * as rules from './pool.ts';

const places = (x: Value) => x.graph.constant('INT64', [1, 1, 2, 2], [0, 3, 8, 10]);

/** One list per rule. */
export const CASES: Cases<keyof typeof rules> = {
  MaxPool: [
    {
      inputs: [distinct([2, 2, 4, 4])],
      build: (x) => op.MaxPool(x, { kernel: [2, 2], strides: [2, 2] }),
      type: 'FLOAT',
    },
    {
      inputs: [distinct([1, 2, 5, 5])],
      build: (x) => op.MaxPool(x, { kernel: [2, 2], strides: [2, 2] }),
      type: 'FLOAT',
    },
    {
      inputs: [distinct([2, 2, 6, 5])],
      build: (x) => op.MaxPool(x, { kernel: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
    },
    { inputs: [distinct([1, 2, 7])], build: (x) => op.MaxPool(x, { kernel: [2], dilations: [3] }) },
  ],
  MaxUnpool: [
    {
      inputs: [fill([1, 1, 2, 2])],
      build: (x) => op.MaxUnpool(x, places(x), { kernel: [2, 2], strides: [2, 2], shape: [1, 1, 4, 4] }),
      type: 'FLOAT',
    },
  ],
  AveragePool: [
    {
      inputs: [fill([2, 2, 4, 6])],
      build: (x) => op.AveragePool(x, { kernel: [2, 3], strides: [2, 3] }),
      type: 'FLOAT',
    },
    {
      inputs: [fill([1, 2, 5, 6])],
      build: (x) => op.AveragePool(x, { kernel: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
      type: 'FLOAT',
    },
    {
      inputs: [fill([1, 2, 7])],
      build: (x) => op.AveragePool(x, { kernel: [3], strides: [3], pads: [1, 0], countIncludePad: true }),
      type: 'FLOAT',
    },
  ],
  GlobalAveragePool: [{ inputs: [fill([2, 3, 2, 3])], build: op.GlobalAveragePool, type: 'FLOAT' }],
  GlobalMaxPool: [{ inputs: [distinct([2, 3, 2, 3])], build: op.GlobalMaxPool, type: 'FLOAT' }],
};
