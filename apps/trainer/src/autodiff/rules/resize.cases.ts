/** Points at which the gradient of Resize is checked: larger, smaller, and by no whole factor. */
import * as op from '../../ir/ops.ts';
import { type Cases, fill } from '../testing.ts';
import type * as rules from './resize.ts';

/** One list per rule. */
export const CASES: Cases<keyof typeof rules> = {
  Resize: [
    { inputs: [fill([1, 2, 3, 2])], build: (x) => op.Resize(x, [6, 4], 'nearest'), type: 'FLOAT' },
    { inputs: [fill([1, 1, 5, 4])], build: (x) => op.Resize(x, [3, 7], 'nearest'), type: 'FLOAT' },
    { inputs: [fill([1, 2, 3, 2])], build: (x) => op.Resize(x, [6, 4], 'linear'), type: 'FLOAT' },
    { inputs: [fill([1, 1, 5, 4])], build: (x) => op.Resize(x, [3, 7], 'linear'), type: 'FLOAT' },
    { inputs: [fill([2, 2, 4])], build: (x) => op.Resize(x, [6], 'nearest'), type: 'FLOAT' },
  ],
};
