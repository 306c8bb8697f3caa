/** Points at which the gradients of convolutions are checked: each way to slide, alone and with others. */
import type { Value } from '../../ir/builder.ts';
import type { ConvOptions, ConvTransposeOptions } from '../../ir/ops/conv.ts';
import * as op from '../../ir/ops.ts';
import { type Case, type Cases, fill } from '../testing.ts';
import type * as rules from './conv.ts';

type Shapes = readonly (readonly number[])[];

function conv(shapes: Shapes, options: Omit<ConvOptions, 'bias'> = {}): Case {
  const build = (x: Value, weight: Value, bias?: Value) => op.Conv(x, weight, { ...options, bias });
  return { inputs: shapes.map((dims) => fill(dims)), build, type: 'FLOAT' };
}

function transposed(shapes: Shapes, options: Omit<ConvTransposeOptions, 'bias'> = {}): Case {
  const build = (x: Value, weight: Value, bias?: Value) => op.ConvTranspose(x, weight, { ...options, bias });
  return { inputs: shapes.map((dims) => fill(dims)), build, type: 'FLOAT' };
}

/** One list per rule. */
export const CASES: Cases<keyof typeof rules> = {
  Conv: [
    conv([[2, 3, 5, 4], [2, 3, 3, 3], [2]], { pads: [1, 1, 1, 1] }),
    conv(
      [
        [2, 2, 6, 5],
        [3, 2, 3, 2],
      ],
      { strides: [2, 2], pads: [1, 0, 0, 1] },
    ),
    conv(
      [
        [1, 2, 7, 7],
        [2, 2, 3, 3],
      ],
      { dilations: [2, 1], strides: [1, 3] },
    ),
    conv([[2, 4, 4, 4], [6, 2, 2, 2], [6]], { group: 2 }),
    conv(
      [
        [2, 3, 4, 4],
        [3, 1, 3, 3],
      ],
      { group: 3, pads: [1, 1, 1, 1], strides: [2, 2] },
    ),
    conv([[2, 3, 4, 3], [2, 3, 1, 1], [2]]),
    conv(
      [
        [2, 3, 4, 3],
        [2, 3, 1, 1],
      ],
      { strides: [2, 2] },
    ),
    conv([[2, 3, 7], [2, 3, 3], [2]], { strides: [2], pads: [1, 2], dilations: [2] }),
  ],
  ConvTranspose: [
    transposed([[2, 3, 3, 2], [3, 2, 3, 3], [2]], { strides: [2, 2], pads: [1, 1, 1, 1], outputPadding: [1, 1] }),
    transposed([[1, 4, 3, 3], [4, 1, 2, 2], [2]], { group: 2 }),
    transposed(
      [
        [2, 2, 4],
        [2, 3, 3],
      ],
      { strides: [3], dilations: [2], outputPadding: [2] },
    ),
  ],
};
