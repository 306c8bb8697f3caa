/** Points at which the gradients of normalisations are checked. */
import * as op from '../../ir/ops.ts';
import { type Cases, fill, positive } from '../testing.ts';
import type * as rules from './normalise.ts';

/** One list per rule. */
export const CASES: Cases<keyof typeof rules> = {
  LayerNormalization: [
    {
      inputs: [fill([3, 4]), fill([4]), fill([4])],
      build: (x, s, b) => op.LayerNormalization(x, s, b ?? null),
      type: 'FLOAT',
    },
    {
      inputs: [fill([2, 3, 4]), fill([3, 4])],
      build: (x, s) => op.LayerNormalization(x, s, null, { axis: 1, epsilon: 0.1 }),
      type: 'FLOAT',
    },
  ],
  RMSNormalization: [
    { inputs: [fill([3, 4]), fill([4])], build: (x, s) => op.RMSNormalization(x, s) },
    { inputs: [fill([2, 3, 4]), fill([3, 4])], build: (x, s) => op.RMSNormalization(x, s, { axis: 1 }) },
  ],
  BatchNormalization: [
    {
      inputs: [fill([2, 3, 2]), fill([3]), fill([3]), fill([3]), fill([3], positive)],
      build: (x, scale, bias, mean, variance) => op.BatchNormalization(x, scale, bias, mean, variance),
    },
  ],
  GroupNormalization: [
    {
      inputs: [fill([2, 4, 3]), fill([4]), fill([4])],
      build: (x, s, b) => op.GroupNormalization(x, s, b, { groups: 2 }),
      type: 'FLOAT',
    },
  ],
  InstanceNormalization: [
    {
      inputs: [fill([2, 3, 4]), fill([3]), fill([3])],
      build: (x, s, b) => op.InstanceNormalization(x, s, b),
      type: 'FLOAT',
    },
  ],
};
