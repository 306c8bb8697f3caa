/**
 * ResNet (He et al. 2015, https://arxiv.org/abs/1512.03385), v1.5: in a bottleneck the 3x3 convolution has the stride,
 * not the first 1x1 (https://catalog.ngc.nvidia.com/orgs/nvidia/resources/resnet_50_v1_5_for_pytorch).
 */
import type { Hyperparameters } from '../contract/run-spec.ts';
import type { Value } from '../ir/builder.ts';
import * as op from '../ir/ops.ts';
import { axisOf } from './axes.ts';
import { expectImage } from './expect.ts';
import { batchNorm } from './layers/batch-norm.ts';
import { conv } from './layers/conv.ts';
import { linear } from './layers/linear.ts';
import { globalAveragePool, maxPool } from './layers/pool.ts';
import { type Module, network, type Sizes } from './module.ts';
import type { Network } from './network.ts';

/** Images up to this side keep their size in the stem, as in section 4.2 (CIFAR-10): there is none to give away. */
export const SMALL_IMAGE = 64;
/** A bottleneck has so many times its width outside. */
const EXPANSION = 4;

/** x [N,C,H,W] -> logits [N,outputs] */
export function resnet(hyperparameters: Hyperparameters['resnet'], sizes: Sizes): Network {
  const [, height, width] = expectImage('resnet', sizes.input);
  const small = Math.max(height, width) <= SMALL_IMAGE;
  const { block, depths, width: channels } = hyperparameters;
  const blockOf = block === 'BASIC' ? basic : bottleneck;
  return network({ resnet: hyperparameters }, sizes, (m, x) => {
    let a = stem(m, x, { channels, small });
    for (const [stage, depth] of depths.entries())
      for (let i = 0; i < depth; i++) {
        const stride = stage > 0 && i === 0 ? 2 : 1;
        a = m.scope(`stage${stage}.block${i}`, () => blockOf(m, a, { channels: channels * 2 ** stage, stride }));
      }
    return linear(m, 'classifier', globalAveragePool(a), { outputs: sizes.outputs });
  });
}

/** conv1: 7x7 with stride 2 and max pooling; for small images 3x3. */
function stem(m: Module, x: Value, { channels, small }: { channels: number; small: boolean }): Value {
  const a = unit(m, 'stem', x, small ? { channels, kernel: 3 } : { channels, kernel: 7, stride: 2 });
  return small ? op.Relu(a) : maxPool(op.Relu(a), { kernel: 3, stride: 2, pad: 1 });
}

interface BlockOptions {
  readonly channels: number;
  readonly stride: number;
}

/** relu(F(x) + x) with F = 3x3, 3x3 (figure 5, left). */
function basic(m: Module, x: Value, { channels, stride }: BlockOptions): Value {
  const a = op.Relu(unit(m, 'conv1', x, { channels, kernel: 3, stride }));
  const f = unit(m, 'conv2', a, { channels, kernel: 3, gain: 0 });
  return op.Relu(op.Add(f, shortcut(m, x, { channels, stride })));
}

/** relu(F(x) + x) with F = 1x1, 3x3, 1x1 (figure 5, right). */
function bottleneck(m: Module, x: Value, { channels, stride }: BlockOptions): Value {
  const outside = channels * EXPANSION;
  const a = op.Relu(unit(m, 'conv1', x, { channels, kernel: 1 }));
  const b = op.Relu(unit(m, 'conv2', a, { channels, kernel: 3, stride }));
  const f = unit(m, 'conv3', b, { channels: outside, kernel: 1, gain: 0 });
  return op.Relu(op.Add(f, shortcut(m, x, { channels: outside, stride })));
}

/** x itself where it fits, else a projection (option B). */
function shortcut(m: Module, x: Value, { channels, stride }: BlockOptions): Value {
  if (stride === 1 && axisOf(x, 1) === channels) return x;
  return unit(m, 'shortcut', x, { channels, kernel: 1, stride });
}

interface UnitOptions {
  readonly channels: number;
  readonly kernel: number;
  readonly stride?: number;
  /**
   * First gamma of the batch norm: 0 at the end of a branch, so that each block begins as the identity (Goyal et al.
   * 2017, https://arxiv.org/abs/1706.02677, section 5.1).
   */
  readonly gain?: number;
}

/** Convolution and batch norm. */
function unit(m: Module, name: string, x: Value, { gain, ...options }: UnitOptions): Value {
  return m.scope(name, () => batchNorm(m, 'norm', conv(m, 'conv', x, { ...options, bias: false }), { gain }));
}
