/**
 * The compiled step against a second opinion (TensorFlow.js), and what training promises: where calls are cut changes
 * nothing.
 */
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Loss, Optimizer } from '../contract/run-spec.ts';
import type { Chunk } from '../engine/engine.ts';
import { ortCpu } from '../engine/ort-cpu.ts';
import { GraphBuilder } from '../ir/builder.ts';
import { encodeModel } from '../ir/encode.ts';
import { numbersOf, tensorOf } from '../ir/tensor.ts';
import { initialState, type State } from '../optim/state.ts';
import { Random } from '../random.ts';
import { zoo } from '../zoo/index.ts';
import type { Network } from '../zoo/network.ts';
import { unflatten } from '../zoo/unflatten.ts';
import { compileTraining } from './compile.ts';
import { gradientOf } from './gradients.ts';
import { labelType, meanLoss } from './losses.ts';

const ADAMW: Optimizer = {
  kind: 'ADAMW',
  learningRate: 0.01,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
};
const SGD: Optimizer = { kind: 'SGD', learningRate: 0.05, momentum: 0.9, weightDecay: 0 };
const [F, B, STEPS] = [6, 16, 20];
const engine = await ortCpu({ threads: 1 });

/** Random rows whose labels a network can learn. */
function data(loss: Loss, classes: number, steps = STEPS): Chunk {
  const random = Random.from(5, 'data');
  const x = Float32Array.from({ length: steps * B * F }, () => random.normal());
  const score = (row: number) => (x[row * F] ?? 0) + (x[row * F + 1] ?? 0) ** 2 - 1;
  const rows = [...new Array(steps * B).keys()];
  const index = (row: number) => Math.min(classes - 1, Math.max(0, Math.floor(score(row) + classes / 2)));
  const y = loss === 'MSE' ? Float32Array.from(rows, score) : Int32Array.from(rows, index);
  const weight = Float32Array.from(rows, (row) => (row % 5 === 0 ? 0.5 : 1));
  return { x, y, weight, learningRate: loss === 'MSE' ? 0.01 : 0.05 };
}

/** A part of a chunk: steps from..to. */
function cut({ x, y, weight, learningRate }: Chunk, from: number, to: number): Chunk {
  const rows = (width: number) => [from * B * width, to * B * width] as const;
  const rate = typeof learningRate === 'number' ? learningRate : learningRate.slice(from, to);
  return { x: x.slice(...rows(F)), y: y.slice(...rows(1)), weight: weight.slice(...rows(1)), learningRate: rate };
}

/** The same network, loss and weights in TensorFlow.js. */
function tfLoss(network: Network, loss: Loss, chunk: Chunk, variables: tf.Tensor[], step: number): tf.Scalar {
  const part = cut(chunk, step, step + 1);
  let activation: tf.Tensor2D = tf.tensor2d(part.x, [B, F]);
  for (let at = 0; at < variables.length; at += 2) {
    const [weight, bias] = variables.slice(at);
    if (!weight || !bias) throw new Error('a layer without parameters');
    const logits: tf.Tensor2D = activation.matMul(weight.as2D(weight.shape[0] ?? 1, -1)).add(bias);
    activation = at + 2 < variables.length ? logits.relu() : logits;
  }
  const rows = (): tf.Tensor => {
    if (loss === 'SOFTMAX_CROSS_ENTROPY') {
      const hot = tf.oneHot(tf.tensor1d(part.y, 'int32'), network.outputs);
      return tf.neg(activation.logSoftmax().mul(hot).sum(1));
    }
    const [z, y] = [activation.reshape([B]), tf.tensor1d(part.y, 'float32')];
    return loss === 'MSE' ? z.squaredDifference(y) : z.softplus().sub(z.mul(y));
  };
  const weight = tf.tensor1d(part.weight);
  return rows().mul(weight).sum().div(weight.sum()).asScalar();
}

function tfVariables(network: Network, params: Float32Array): tf.Variable[] {
  let at = 0;
  return network.parameters.map(({ shape }) => {
    const size = shape.reduce((a, b) => a * b, 1);
    at += size;
    return tf.variable(tf.tensor(params.subarray(at - size, at), [...shape]));
  });
}

/** The flat gradient at the first batch, by our own graph. */
async function ourGradient(network: Network, loss: Loss, chunk: Chunk, params: Float32Array): Promise<number[]> {
  const g = new GraphBuilder('gradient');
  const flat = g.input('params', 'FLOAT', [params.length]);
  const parameters = unflatten(flat, network.parameters);
  const { logits } = network.forward(g.input('x', 'FLOAT', [B, F]), parameters, [], { kind: 'INFERENCE' });
  const [labels, weight] = [g.input('y', labelType(loss), [B]), g.input('weight', 'FLOAT', [B])];
  g.output('gradient', gradientOf(meanLoss(loss, { logits, labels, weight }), flat));
  const graph = await engine.graph(encodeModel(g.model()));
  const first = cut(chunk, 0, 1);
  const outputs = await graph.run([
    tensorOf('params', 'FLOAT', [params.length], params),
    tensorOf('x', 'FLOAT', [B, F], first.x),
    tensorOf('y', labelType(loss), [B], first.y),
    tensorOf('weight', 'FLOAT', [B], first.weight),
  ]);
  const gradient = outputs.get('gradient');
  return gradient ? numbersOf(gradient) : [];
}

/** The largest |a - b| relative to the largest |b|. */
function relative(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  const largest = Math.max(...Array.from(b, Math.abs));
  return Math.max(...Array.from(a, (value, index) => Math.abs(value - (b[index] ?? Number.NaN)))) / largest;
}

beforeAll(() => tf.setBackend('cpu'));

describe('TensorFlow.js agrees', () => {
  const tfOptimizer = (optimizer: Optimizer, rate: number) =>
    optimizer.kind === 'ADAMW' ? tf.train.adam(rate, 0.9, 0.999, 1e-8) : tf.train.momentum(rate, 0.9);
  test.each<[Loss, Optimizer, number]>([
    ['BCE_WITH_LOGITS', ADAMW, 1],
    ['SOFTMAX_CROSS_ENTROPY', ADAMW, 4],
    ['MSE', ADAMW, 1],
    ['BCE_WITH_LOGITS', SGD, 1],
    ['MSE', SGD, 1],
  ])('%s with $kind: gradient, and losses and parameters over 20 steps', async (loss, optimizer, outputs) => {
    const network = zoo({ mlp: { hidden: [12, 8] } }, { input: { kind: 'FEATURES', width: F }, outputs });
    const params = network.initialise(Random.from(3, 'init'));
    const chunk = data(loss, outputs === 1 ? 2 : outputs);

    const variables = tfVariables(network, params);
    const theirs = tf.grads((...values) => tfLoss(network, loss, chunk, values, 0))(variables);
    const flat = theirs.flatMap((gradient) => [...gradient.dataSync()]);
    expect(relative(await ourGradient(network, loss, chunk, params), flat)).toBeLessThan(1e-4);

    const program = compileTraining({ network, loss, optimizer, batchSize: B });
    const trainer = await engine.trainer(program);
    const { state, losses } = await trainer.run(initialState(program, params), chunk);
    const minimiser = tfOptimizer(optimizer, Number(chunk.learningRate));
    const expected = losses.map((_, step) => {
      const cost = minimiser.minimize(() => tfLoss(network, loss, chunk, variables, step), true, variables);
      return cost?.dataSync()[0] ?? Number.NaN;
    });
    losses.forEach((value, step) => {
      expect(Math.abs(value / (expected[step] ?? Number.NaN) - 1)).toBeLessThan(1e-3);
    });
    expect(
      relative(
        state.params,
        variables.flatMap((variable) => [...variable.dataSync()]),
      ),
    ).toBeLessThan(1e-3);
    expect(Math.min(...losses.slice(-3))).toBeLessThan(losses[0] ?? 0);
  });
});

describe('a chunk', () => {
  const network = zoo({ mlp: { hidden: [12, 8] } }, { input: { kind: 'FEATURES', width: F }, outputs: 1 });
  const decaying = { ...ADAMW, weightDecay: 0.05 };
  const params = network.initialise(Random.from(3, 'init'));
  const random = Random.from(6, 'rates');
  const rates = Float32Array.from({ length: STEPS }, () => random.uniform(0.001, 0.05));
  const chunk: Chunk = { ...data('BCE_WITH_LOGITS', 2), learningRate: rates };

  /** The bytes of everything after training in chunks of these sizes. */
  async function train(sizes: number[], optimizer: Optimizer, threads = 1, fresh = false): Promise<Uint8Array[]> {
    const program = compileTraining({ network, loss: 'BCE_WITH_LOGITS', optimizer, batchSize: B });
    let trainer = await (await ortCpu({ threads })).trainer(program);
    let state: State = initialState(program, params);
    const losses: number[] = [];
    let at = 0;
    for (const size of sizes) {
      // A resumed job has a new session and only the state.
      if (fresh) trainer = await (await ortCpu({ threads })).trainer(program);
      const result = await trainer.run(state, cut(chunk, at, at + size));
      state = result.state;
      losses.push(...result.losses);
      at += size;
    }
    expect(state.step).toBe(STEPS);
    const all = [state.params, state.m, state.v, Float32Array.from(losses)];
    return all.map((array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength).slice());
  }

  test.each<[string, Optimizer]>([
    ['AdamW', decaying],
    ['SGD with momentum', { ...SGD, weightDecay: 0.01 }],
    ['plain SGD', { ...SGD, momentum: 0 }],
  ])('of any length gives the same bytes: %s', async (_, optimizer) => {
    const whole = await train([STEPS], optimizer);
    expect(await train(new Array(STEPS).fill(1), optimizer)).toEqual(whole);
    expect(await train([1, 7, 3, 9], optimizer)).toEqual(whole);
    expect(await train([5, 15], optimizer, 1, true)).toEqual(whole);
    expect(await train([STEPS], optimizer, 2)).toEqual(whole);
  });

  test('with a padded batch learns from the real rows only', async () => {
    const program = compileTraining({ network, loss: 'BCE_WITH_LOGITS', optimizer: decaying, batchSize: B });
    const trainer = await engine.trainer(program);
    const one = cut(chunk, 0, 1);
    const weight = one.weight.map((w, row) => (row < 10 ? w : 0));
    const other = one.x.map((value, index) => (index < 10 * F ? value : 1e3));
    const [a, b] = await Promise.all([
      trainer.run(initialState(program, params), { ...one, weight }),
      trainer.run(initialState(program, params), { ...one, weight, x: other }),
    ]);
    expect(b.losses).toEqual(a.losses);
    expect(b.state.params).toEqual(a.state.params);

    const small = compileTraining({ network, loss: 'BCE_WITH_LOGITS', optimizer: decaying, batchSize: 10 });
    const smallTrainer = await engine.trainer(small);
    const { state } = await smallTrainer.run(initialState(small, params), {
      x: one.x.slice(0, 10 * F),
      y: one.y.slice(0, 10),
      weight: one.weight.slice(0, 10),
      learningRate: rates.slice(0, 1),
    });
    expect(relative(state.params, a.state.params)).toBeLessThan(1e-4);
  });

  test('leaves the state that went in as it was', async () => {
    const program = compileTraining({ network, loss: 'BCE_WITH_LOGITS', optimizer: decaying, batchSize: B });
    const before = initialState(program, params.slice());
    const { state } = await (await engine.trainer(program)).run(before, chunk);
    expect(before).toEqual(initialState(program, params));
    expect(state.params).not.toEqual(params);
  });
});
