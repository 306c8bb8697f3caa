/** Points at which the gradients of attention are checked. */
import type { Value } from '../../ir/builder.ts';
import * as op from '../../ir/ops.ts';
import { type Cases, fill } from '../testing.ts';
import type * as rules from './attention.ts';

const positions = (x: Value) => x.graph.constant('INT64', [2, 3], [0, 1, 2, 3, 2, 0]);
const heads = (...shapes: number[][]) => shapes.map((dims) => fill(dims));

/** One list per rule. */
export const CASES: Cases<keyof typeof rules> = {
  Attention: [
    {
      inputs: heads([2, 2, 3, 4], [2, 2, 3, 4], [2, 2, 3, 4]),
      build: (q, k, v) => op.Attention(q, k, v, { causal: true }),
      type: 'FLOAT',
    },
    {
      inputs: heads([1, 2, 2, 3], [1, 2, 4, 3], [1, 2, 4, 5], [2, 4]),
      build: (q, k, v, mask) => op.Attention(q, k, v, { mask, scale: 0.7 }),
      type: 'FLOAT',
    },
  ],
  RotaryEmbedding: [
    {
      inputs: heads([2, 2, 3, 4], [5, 2], [5, 2]),
      build: (x, cos, sin) => op.RotaryEmbedding(x, cos, sin, positions(x)),
      type: 'FLOAT',
    },
  ],
};
