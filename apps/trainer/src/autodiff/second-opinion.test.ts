/** TensorFlow.js has its own derivatives: where it has an operation, both must agree on it. */
import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, test } from 'vitest';
import { ortCpu } from '../engine/ort-cpu.ts';
import { GraphBuilder, type Value } from '../ir/builder.ts';
import { encodeModel } from '../ir/encode.ts';
import * as op from '../ir/ops.ts';
import { numbersOf, tensorOf } from '../ir/tensor.ts';
import { batchNormalization } from './batch-norm.ts';
import { gradients } from './gradients.ts';
import { distinct, fill, positive } from './testing.ts';

const engine = await ortCpu({ threads: 1 });
beforeAll(() => tf.setBackend('cpu'));

interface Opinion {
  readonly name: string;
  readonly inputs: ReturnType<typeof fill>[];
  readonly ours: (...x: Value[]) => Value;
  readonly theirs: (...x: tf.Tensor[]) => tf.Tensor;
}

const turned = (x: tf.Tensor, perm: number[]): tf.Tensor4D => {
  const y = tf.transpose(x, perm);
  const [a = 1, b = 1, c = 1, d = 1] = y.shape;
  return y.as4D(a, b, c, d);
};
const nhwc = (x: tf.Tensor) => turned(x, [0, 2, 3, 1]);
const nchw = (x: tf.Tensor): tf.Tensor => tf.transpose(x, [0, 3, 1, 2]);
/** [M,C,k,k] -> [k,k,C,M] */
const hwio = (w: tf.Tensor) => turned(w, [2, 3, 1, 0]);
const pads = (n: number): [[number, number], [number, number], [number, number], [number, number]] => [
  [0, 0],
  [n, n],
  [n, n],
  [0, 0],
];
const images = (...dims: number[]) => fill(dims);
const INDICES = [3, 0, 3, 1, 1, 3];

const OPINIONS: readonly Opinion[] = [
  {
    name: 'convolution, padded, with bias',
    inputs: [images(2, 3, 6, 5), fill([4, 3, 3, 3]), fill([4])],
    ours: (x, w, bias) => op.Conv(x, w, { bias, pads: [1, 1, 1, 1] }),
    theirs: (x, w, b) => nchw(tf.add(tf.conv2d(nhwc(x), hwio(w), 1, 'same'), b)),
  },
  {
    name: 'convolution, strided, padded on all sides',
    inputs: [images(2, 2, 7, 7), fill([3, 2, 3, 3])],
    ours: (x, w) => op.Conv(x, w, { strides: [2, 2], pads: [1, 1, 1, 1] }),
    theirs: (x, w) => nchw(tf.conv2d(tf.pad4d(nhwc(x), pads(1)), hwio(w), 2, 'valid')),
  },
  {
    name: 'convolution, depthwise',
    inputs: [images(2, 3, 5, 5), fill([3, 1, 3, 3])],
    ours: (x, w) => op.Conv(x, w, { group: 3, pads: [1, 1, 1, 1] }),
    theirs: (x, w) => nchw(tf.depthwiseConv2d(nhwc(x), turned(w, [2, 3, 0, 1]), 1, 'same')),
  },
  {
    name: 'convolution, transposed',
    inputs: [images(1, 2, 3, 3), fill([2, 3, 2, 2])],
    ours: (x, w) => op.ConvTranspose(x, w, { strides: [2, 2] }),
    theirs: (x, w) => nchw(tf.conv2dTranspose(nhwc(x), turned(w, [2, 3, 1, 0]), [1, 6, 6, 3], 2, 'valid')),
  },
  {
    name: 'max pool by halves',
    inputs: [distinct([2, 3, 4, 6])],
    ours: (x) => op.MaxPool(x, { kernel: [2, 2], strides: [2, 2] }),
    theirs: (x) => nchw(tf.maxPool(nhwc(x), 2, 2, 'valid')),
  },
  {
    name: 'max pool, overlapping',
    inputs: [distinct([2, 2, 7, 7])],
    ours: (x) => op.MaxPool(x, { kernel: [3, 3], strides: [2, 2] }),
    theirs: (x) => nchw(tf.maxPool(nhwc(x), 3, 2, 'valid')),
  },
  {
    name: 'average pool, overlapping',
    inputs: [images(2, 2, 7, 7)],
    ours: (x) => op.AveragePool(x, { kernel: [3, 3], strides: [2, 2] }),
    theirs: (x) => nchw(tf.avgPool(nhwc(x), 3, 2, 'valid')),
  },
  {
    name: 'batch normalisation with batch statistics',
    inputs: [images(4, 3, 2, 2), fill([3], positive), fill([3])],
    ours: (x, gamma, beta) =>
      batchNormalization(x, gamma, beta, x.graph.constant('FLOAT', [4], [1, 1, 1, 1]), { epsilon: 1e-3 }).y,
    theirs: (x, gamma, beta) => {
      const { mean, variance } = tf.moments(nhwc(x), [0, 1, 2]);
      return nchw(tf.batchNorm(nhwc(x), mean.as1D(), variance.as1D(), beta.as1D(), gamma.as1D(), 1e-3));
    },
  },
  {
    name: 'layer normalisation',
    inputs: [fill([5, 8]), fill([8], positive), fill([8])],
    ours: (x, gamma, beta) => op.LayerNormalization(x, gamma, beta, { epsilon: 1e-3 }),
    theirs: (x, gamma, beta) => {
      const { mean, variance } = tf.moments(x, -1, true);
      return tf.add(tf.mul(tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-3))), gamma), beta);
    },
  },
  {
    name: 'softmax behind a mask',
    inputs: [fill([3, 4])],
    ours: (x) => op.Softmax(op.Add(x, x.graph.constant('FLOAT', [4], [0, 0, -1e4, 0]))),
    theirs: (x) => tf.softmax(tf.add(x, tf.tensor1d([0, 0, -1e4, 0]))),
  },
  {
    name: 'products of batches of matrices',
    inputs: [fill([2, 3, 4, 5]), fill([2, 3, 5, 2])],
    ours: op.MatMul,
    theirs: (a, b) => tf.matMul(a, b),
  },
  {
    name: 'embedding',
    inputs: [fill([4, 3])],
    ours: (x) => op.Gather(x, x.graph.constant('INT32', [2, 3], INDICES)),
    theirs: (x) => tf.gather(x, tf.tensor2d(INDICES, [2, 3], 'int32')),
  },
  {
    name: 'activations',
    inputs: [fill([24])],
    ours: (x) => op.Add(op.Elu(x), op.Add(op.Mul(op.LeakyRelu(x, 0.2), op.Erf(x)), op.Mul(op.Sigmoid(x), op.Tanh(x)))),
    theirs: (x) =>
      tf.add(tf.elu(x), tf.add(tf.mul(tf.leakyRelu(x, 0.2), tf.erf(x)), tf.mul(tf.sigmoid(x), tf.tanh(x)))),
  },
];

/** The value, and the slopes by each input of the sum of outputs that are each weighed differently. */
async function ourAnswer({ inputs, ours }: Opinion): Promise<number[][]> {
  const g = new GraphBuilder('opinion');
  const xs = inputs.map(({ dims }, index) => g.input(`x${index}`, 'FLOAT', dims));
  const y = ours(...xs);
  const dims = y.shape.map(Number);
  const weights = g.constant('FLOAT', dims, weightsOf(dims));
  g.output('y', y);
  const slopes = gradients(op.ReduceSum(op.Mul(y, weights)), xs);
  slopes.forEach((slope, index) => {
    g.output(`d${index}`, slope);
  });
  const graph = await engine.graph(encodeModel(g.model()));
  const outputs = await graph.run(inputs.map(({ dims: own, values }, i) => tensorOf(`x${i}`, 'FLOAT', own, values)));
  return ['y', ...inputs.map((_, index) => `d${index}`)].map((name) => {
    const tensor = outputs.get(name);
    return tensor ? numbersOf(tensor) : [];
  });
}

function theirAnswer({ inputs, theirs }: Opinion): number[][] {
  const xs = inputs.map(({ dims, values }) => tf.tensor([...values], [...dims]));
  const y = theirs(...xs);
  const weights = tf.tensor(weightsOf(y.shape), y.shape);
  const slopes = tf.grads((...values) =>
    theirs(...values)
      .mul(weights)
      .sum(),
  )(xs);
  return [y, ...slopes].map((tensor) => [...tensor.dataSync()]);
}

const weightsOf = (dims: readonly number[]) =>
  Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, index) => Math.cos(1 + index));

test.each(OPINIONS)('$name', async (opinion) => {
  const [ours, theirs] = [await ourAnswer(opinion), theirAnswer(opinion)];
  expect(ours.map((values) => values.length)).toEqual(theirs.map((values) => values.length));
  ours.forEach((values, which) => {
    const expected = theirs[which] ?? [];
    const scale = Math.max(...expected.map(Math.abs));
    values.forEach((value, index) => {
      expect(Math.abs(value - (expected[index] ?? Number.NaN))).toBeLessThan(1e-4 * scale);
    });
  });
});
