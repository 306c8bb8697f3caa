/**
 * Whole trainings against TensorFlow.js: networks that are written here once in our operations and once in theirs, on
 * the same weights and rows, have the same losses over 20 steps.
 */
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Optimizer } from '../contract/run-spec.ts';
import { ortCpu } from '../engine/ort-cpu.ts';
import type { Value } from '../ir/builder.ts';
import * as op from '../ir/ops.ts';
import { sizeOf } from '../ir/shapes.ts';
import { initialState } from '../optim/state.ts';
import { Random } from '../random.ts';
import { type Mode, type Network, type NetworkInput, networkOf, rowShape } from '../zoo/network.ts';
import { batchNormalization } from './batch-norm.ts';
import { compileTraining } from './compile.ts';

const engine = await ortCpu({ threads: 1 });
beforeAll(() => tf.setBackend('cpu'));

const [B, STEPS, CLASSES, T, D] = [6, 20, 3, 5, 8];
const ADAM: Optimizer = { kind: 'ADAMW', learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

interface Twins {
  readonly input: NetworkInput;
  readonly shapes: readonly (readonly number[])[];
  /** Names buffers where there are any: one mean and one variance of so many channels. */
  readonly channels?: number;
  readonly ours: (x: Value, p: Value[], mode: Mode, buffers: readonly Value[]) => { logits: Value; buffers: Value[] };
  readonly theirs: (x: tf.Tensor, p: tf.Tensor[]) => tf.Tensor;
}

const at = <V>(values: readonly V[], index: number): V => {
  const value = values[index];
  if (value === undefined) throw new Error(`no parameter ${index}`);
  return value;
};
const turned = (x: tf.Tensor, perm: number[]): tf.Tensor4D => {
  const y = tf.transpose(x, perm);
  const [a = 1, b = 1, c = 1, d = 1] = y.shape;
  return y.as4D(a, b, c, d);
};
const nhwc = (x: tf.Tensor) => turned(x, [0, 2, 3, 1]);
const conv = (x: tf.Tensor, w: tf.Tensor) => tf.conv2d(nhwc(x), turned(w, [2, 3, 1, 0]), 1, 'same');
const nchw = (x: tf.Tensor) => turned(x, [0, 3, 1, 2]);
const dense = (x: tf.Tensor, w: tf.Tensor, b: tf.Tensor) => tf.add(tf.matMul(x, w), b);
/** A dense layer on each token. */
const each = (x: tf.Tensor, w: tf.Tensor, b: tf.Tensor) =>
  tf.reshape(dense(tf.reshape(x, [B * T, -1]), w, b), [B, T, -1]);

const cnn: Twins = {
  input: { kind: 'TENSOR', shape: [2, 8, 8] },
  shapes: [[4, 2, 3, 3], [4], [5, 4, 3, 3], [5], [5 * 4, CLASSES], [CLASSES]],
  ours: (x, p) => {
    const stage = (a: Value, i: number) => {
      const y = op.Relu(op.Conv(a, at(p, i), { bias: at(p, i + 1), pads: [1, 1, 1, 1] }));
      return op.MaxPool(y, { kernel: [2, 2], strides: [2, 2] });
    };
    const flat = op.Reshape(stage(stage(x, 0), 2), [B, 20]);
    return { logits: op.Gemm(flat, at(p, 4), { c: at(p, 5) }), buffers: [] };
  },
  theirs: (x, p) => {
    const stage = (a: tf.Tensor, i: number) =>
      nchw(tf.maxPool(nhwc(nchw(tf.relu(tf.add(conv(a, at(p, i)), at(p, i + 1))))), 2, 2, 'valid'));
    return dense(tf.reshape(stage(stage(x, 0), 2), [B, 20]), at(p, 4), at(p, 5));
  },
};

const residual: Twins = {
  input: { kind: 'TENSOR', shape: [2, 6, 6] },
  shapes: [[4, 2, 3, 3], [4], [4], [4, 4, 3, 3], [4, CLASSES], [CLASSES]],
  channels: 4,
  ours: (x, p, mode, buffers) => {
    if (mode.kind === 'INFERENCE') throw new Error('this network is only trained');
    const stem = op.Conv(x, at(p, 0), { pads: [1, 1, 1, 1] });
    const { y, mean, variance } = batchNormalization(stem, at(p, 1), at(p, 2), mode.weight, { epsilon: 1e-3 });
    const a = op.Relu(y);
    const sum = op.Relu(op.Add(a, op.Conv(a, at(p, 3), { pads: [1, 1, 1, 1] })));
    const pooled = op.Squeeze(op.GlobalAveragePool(sum), [2, 3]);
    const running = [mean, variance].map((now, i) => op.Add(op.Mul(at(buffers, i), 0.9), op.Mul(now, 0.1)));
    return { logits: op.Gemm(pooled, at(p, 4), { c: at(p, 5) }), buffers: running };
  },
  theirs: (x, p) => {
    const stem = conv(x, at(p, 0));
    const { mean, variance } = tf.moments(stem, [0, 1, 2]);
    const normal = tf.batchNorm(stem, mean.as1D(), variance.as1D(), at(p, 2).as1D(), at(p, 1).as1D(), 1e-3);
    const a = tf.relu(normal);
    const sum = tf.relu(tf.add(a, conv(nchw(a), at(p, 3))));
    return dense(tf.mean(sum, [1, 2]), at(p, 4), at(p, 5));
  },
};

const transformer: Twins = {
  input: { kind: 'TOKENS', vocabulary: 11, maxLength: T },
  shapes: [[11, D], [T, D], [D, 3 * D], [3 * D], [D], [D], [D, 12], [12], [12, D], [D], [D, CLASSES], [CLASSES]],
  ours: (ids, p) => {
    const mask = op.Cast(op.Not(op.Equal(ids, 0)), 'FLOAT');
    const x = op.Add(op.Gather(at(p, 0), ids), at(p, 1));
    const parts = op.Split(op.Add(op.MatMul(x, at(p, 2)), at(p, 3)), [D, D, D], 2);
    const heads = parts.map((part) => op.Transpose(op.Reshape(part, [B, T, 2, D / 2]), [0, 2, 1, 3]));
    const scores = op.MatMul(op.Mul(at(heads, 0), 0.5), op.Transpose(at(heads, 1), [0, 1, 3, 2]));
    const bias = op.Mul(op.Sub(op.Unsqueeze(mask, [1, 2]), 1), 1e4);
    const seen = op.MatMul(op.Softmax(op.Add(scores, bias)), at(heads, 2));
    const joined = op.Reshape(op.Transpose(seen, [0, 2, 1, 3]), [B, T, D]);
    const normal = op.LayerNormalization(op.Add(x, joined), at(p, 4), at(p, 5), { epsilon: 1e-5 });
    const inner = op.Gelu(op.Add(op.MatMul(normal, at(p, 6)), at(p, 7)));
    const y = op.Add(normal, op.Add(op.MatMul(inner, at(p, 8)), at(p, 9)));
    const real = op.ReduceSum(op.Mul(y, op.Unsqueeze(mask, [2])), { axes: [1] });
    const pooled = op.Div(real, op.ReduceSum(mask, { axes: [1], keep: true }));
    return { logits: op.Gemm(pooled, at(p, 10), { c: at(p, 11) }), buffers: [] };
  },
  theirs: (ids, p) => {
    const mask = tf.cast(tf.notEqual(ids, 0), 'float32');
    const x = tf.add(tf.gather(at(p, 0), tf.cast(ids, 'int32')), at(p, 1));
    const parts = tf.split(each(x, at(p, 2), at(p, 3)), 3, 2);
    const heads = parts.map((part) => turned(tf.reshape(part, [B, T, 2, D / 2]), [0, 2, 1, 3]));
    const scores = tf.mul(tf.matMul(at(heads, 0), at(heads, 1), false, true), 0.5);
    const bias = tf.mul(tf.sub(tf.reshape(mask, [B, 1, 1, T]), 1), 1e4);
    const seen = tf.matMul(tf.softmax(tf.add(scores, bias)), at(heads, 2));
    const sum = tf.add(x, tf.reshape(turned(seen, [0, 2, 1, 3]), [B, T, D]));
    const { mean, variance } = tf.moments(sum, -1, true);
    const scaled = tf.div(tf.sub(sum, mean), tf.sqrt(tf.add(variance, 1e-5)));
    const normal = tf.add(tf.mul(scaled, at(p, 4)), at(p, 5));
    const inner = each(normal, at(p, 6), at(p, 7));
    const gelu = tf.mul(tf.mul(inner, 0.5), tf.add(tf.erf(tf.mul(inner, Math.SQRT1_2)), 1));
    const y = tf.add(normal, each(gelu, at(p, 8), at(p, 9)));
    const real = tf.sum(tf.mul(y, tf.expandDims(mask, 2)), 1);
    return dense(tf.div(real, tf.sum(mask, 1, true)), at(p, 10), at(p, 11));
  },
};

function networkFrom({ input, shapes, channels, ours }: Twins): Network {
  const buffers =
    channels === undefined ? [] : [0, 1].map((initial) => ({ name: `b${initial}`, shape: [channels], initial }));
  return networkOf({
    architecture: { mlp: { hidden: [] } }, // only a name: this network is not of the zoo
    input,
    outputs: CLASSES,
    parameters: shapes.map((shape, index) => ({
      name: `p${index}`,
      shape,
      decays: false,
      draw: (random) => random.normal() * 0.3,
    })),
    buffers,
    forward: (x, p, state, mode) => ours(x, [...p], mode, state),
  });
}

function rowsOf(input: NetworkInput): { x: Float32Array | Int32Array; y: Int32Array } {
  const random = Random.from(4, 'rows');
  const size = STEPS * B * sizeOf(rowShape(input));
  const y = Int32Array.from({ length: STEPS * B }, () => random.int(CLASSES));
  if (input.kind !== 'TOKENS') return { x: Float32Array.from({ length: size }, () => random.normal()), y };
  // Each row has at least one token, and padding behind.
  const x = Int32Array.from({ length: size }, (_, i) => (i % T > 1 + (Math.floor(i / T) % 4) ? 0 : 1 + random.int(10)));
  return { x, y };
}

describe('losses over 20 steps are those of TensorFlow.js', () => {
  test.each(Object.entries({ cnn, residual, transformer }))('%s', async (_, twins) => {
    const network = networkFrom(twins);
    const params = network.initialise(Random.from(9, 'init'));
    const { x, y } = rowsOf(twins.input);
    const row = [...rowShape(twins.input)];
    let from = 0;
    const variables = twins.shapes.map((shape) => {
      from += sizeOf(shape);
      return tf.variable(tf.tensor(params.subarray(from - sizeOf(shape), from), [...shape]));
    });
    const minimiser = tf.train.adam(0.01, 0.9, 0.999, 1e-8);
    const theirs = Array.from({ length: STEPS }, (__, step) => {
      const part = x.subarray(step * B * sizeOf(row), (step + 1) * B * sizeOf(row));
      const labels = tf.oneHot(tf.tensor1d(y.subarray(step * B, (step + 1) * B), 'int32'), CLASSES);
      const cost = () =>
        tf.neg(
          tf.mean(tf.sum(tf.mul(tf.logSoftmax(twins.theirs(tf.tensor(part, [B, ...row]), variables)), labels), 1)),
        );
      return minimiser.minimize(() => cost().asScalar(), true, variables)?.dataSync()[0] ?? Number.NaN;
    });

    for (const target of ['CPU', 'WEBGPU'] as const) {
      const options = { network, loss: 'SOFTMAX_CROSS_ENTROPY', optimizer: ADAM, batchSize: B, target } as const;
      const program = compileTraining(options);
      const trainer = await engine.trainer(program);
      const chunk = { x, y, weight: new Float32Array(STEPS * B).fill(1), learningRate: 0.01 };
      const { losses } = await trainer.run(initialState(program, params), chunk);
      expect(losses).toHaveLength(STEPS);
      losses.forEach((loss, step) => {
        expect(Math.abs(loss / (theirs[step] ?? Number.NaN) - 1)).toBeLessThan(1e-3);
      });
      await trainer.close();
    }
  });
});
