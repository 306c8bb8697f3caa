/**
 * Inception v1, "GoogLeNet" (Szegedy et al. 2014, https://arxiv.org/abs/1409.4842, table 1), with batch norm behind
 * each convolution (Ioffe and Szegedy 2015) in place of local response normalisation and the auxiliary classifiers.
 */
import type { Hyperparameters } from '../contract/run-spec.ts';
import type { Value } from '../ir/builder.ts';
import * as op from '../ir/ops.ts';
import { expectImage } from './expect.ts';
import { batchNorm } from './layers/batch-norm.ts';
import { conv } from './layers/conv.ts';
import { dropout } from './layers/dropout.ts';
import { linear } from './layers/linear.ts';
import { globalAveragePool, maxPool } from './layers/pool.ts';
import { type Module, network, type Sizes } from './module.ts';
import type { Network } from './network.ts';
import { SMALL_IMAGE } from './resnet.ts';

/** Channels of a block's branches: 1x1; 1x1 and 3x3; 1x1 and 5x5; pooling and 1x1. */
type Row = readonly [one: number, reduce3: number, three: number, reduce5: number, five: number, pool: number];

/** Table 1, stages 3 to 5; a stage halves the image. */
const TABLE: readonly (readonly Row[])[] = [
  [
    [64, 96, 128, 16, 32, 32],
    [128, 128, 192, 32, 96, 64],
  ],
  [
    [192, 96, 208, 16, 48, 64],
    [160, 112, 224, 24, 64, 64],
    [128, 128, 256, 24, 64, 64],
    [112, 144, 288, 32, 64, 64],
    [256, 160, 320, 32, 128, 128],
  ],
  [
    [256, 160, 320, 32, 128, 128],
    [384, 192, 384, 48, 128, 128],
  ],
];

/** x [N,C,H,W] -> logits [N,outputs] */
export function inception(hyperparameters: Hyperparameters['inception'], sizes: Sizes): Network {
  const [, height, width] = expectImage('inception', sizes.input);
  const small = Math.max(height, width) <= SMALL_IMAGE;
  const { depths, width: factor, dropout: rate } = hyperparameters;
  const scaled = (channels: number) => Math.max(1, Math.round(channels * factor));
  return network({ inception: hyperparameters }, sizes, (m, x) => {
    let a = stem(m, x, { scaled, small });
    for (const [stage, depth] of depths.entries()) {
      if (stage > 0) a = maxPool(a, { kernel: 3, stride: 2, pad: 1 });
      for (const [i, row] of (TABLE[stage] ?? []).slice(0, depth).entries())
        a = m.scope(`stage${stage}.block${i}`, () => block(m, a, row.map(scaled)));
    }
    return linear(m, 'classifier', dropout(m, globalAveragePool(a), rate), { outputs: sizes.outputs });
  });
}

interface StemOptions {
  readonly scaled: (channels: number) => number;
  readonly small: boolean;
}

/** Stages 1 and 2: 7x7 and 3x3 with pooling behind each; small images keep their size and have the 3x3 alone. */
function stem(m: Module, x: Value, { scaled, small }: StemOptions): Value {
  if (small) return unit(m, 'stem', x, { channels: scaled(192), kernel: 3 });
  const pooled = (a: Value) => maxPool(a, { kernel: 3, stride: 2, pad: 1 });
  const a = pooled(unit(m, 'stem1', x, { channels: scaled(64), kernel: 7, stride: 2 }));
  const b = unit(m, 'stem2', a, { channels: scaled(64), kernel: 1 });
  return pooled(unit(m, 'stem3', b, { channels: scaled(192), kernel: 3 }));
}

/** Figure 2(b): four branches over the same image, their channels one behind the other. */
function block(m: Module, x: Value, row: readonly number[]): Value {
  const [one = 1, reduce3 = 1, three = 1, reduce5 = 1, five = 1, pool = 1] = row;
  const branches = [
    unit(m, 'one', x, { channels: one, kernel: 1 }),
    unit(m, 'three', unit(m, 'reduce3', x, { channels: reduce3, kernel: 1 }), { channels: three, kernel: 3 }),
    unit(m, 'five', unit(m, 'reduce5', x, { channels: reduce5, kernel: 1 }), { channels: five, kernel: 5 }),
    unit(m, 'pool', maxPool(x, { kernel: 3, stride: 1, pad: 1 }), { channels: pool, kernel: 1 }),
  ];
  return op.Concat(branches, 1);
}

/** Convolution, batch norm, ReLU. */
function unit(m: Module, name: string, x: Value, o: { channels: number; kernel: number; stride?: number }): Value {
  return m.scope(name, () => op.Relu(batchNorm(m, 'norm', conv(m, 'conv', x, { ...o, bias: false }))));
}
