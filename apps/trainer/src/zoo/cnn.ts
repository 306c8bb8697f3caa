/**
 * The plain convolutional network, LeCun's line (1998, http://yann.lecun.com/exdb/publis/pdf/lecun-98.pdf) with ReLU,
 * max pooling and dropout: stages that halve the image, then dense layers.
 */
import type { Hyperparameters } from '../contract/run-spec.ts';
import type { Value } from '../ir/builder.ts';
import * as op from '../ir/ops.ts';
import { axisOf } from './axes.ts';
import { expectImage } from './expect.ts';
import { heNormal, zeros } from './initialisers.ts';
import { conv } from './layers/conv.ts';
import { dropout } from './layers/dropout.ts';
import { linear } from './layers/linear.ts';
import { maxPool } from './layers/pool.ts';
import { type Module, network, type Sizes } from './module.ts';
import type { Network } from './network.ts';

/** x [N,C,H,W] -> logits [N,outputs] */
export function cnn(hyperparameters: Hyperparameters['cnn'], sizes: Sizes): Network {
  expectImage('cnn', sizes.input);
  const { channels, kernel, hidden, dropout: rate } = hyperparameters;
  return network({ cnn: hyperparameters }, sizes, (m, x) => {
    let a = x;
    for (const [i, width] of channels.entries()) a = stage(m, `stage${i}`, a, width, kernel); // [N,width,H/2,W/2]
    a = flatten(a); // [N,C H W]
    for (const [i, outputs] of hidden.entries())
      a = op.Relu(linear(m, `dense${i}`, dropout(m, a, rate), { outputs, start: heStart }));
    return linear(m, 'classifier', dropout(m, a, rate), { outputs: sizes.outputs });
  });
}

/** An image of a single row or column is not halved any more. */
function stage(m: Module, name: string, x: Value, channels: number, kernel: number): Value {
  const a = op.Relu(conv(m, name, x, { channels, kernel }));
  return Math.min(axisOf(a, 2), axisOf(a, 3)) < 2 ? a : maxPool(a, { kernel: 2, stride: 2 });
}

function flatten(x: Value): Value {
  const [n = 1] = x.shape;
  return op.Reshape(x, [n, axisOf(x, 1) * axisOf(x, 2) * axisOf(x, 3)]);
}

const heStart = (inputs: number) => ({ weight: heNormal(inputs), bias: zeros });
