/** What goes with a step beside loss and optimiser: clipping, parts, averages, one step per call, padding. */
import { describe, expect, test } from 'vitest';
import type { Optimizer } from '../contract/run-spec.ts';
import type { Chunk } from '../engine/engine.ts';
import { ortCpu } from '../engine/ort-cpu.ts';
import * as op from '../ir/ops.ts';
import { numbersOf, tensorOf } from '../ir/tensor.ts';
import { initialState, type State, weightsOf } from '../optim/state.ts';
import { Random } from '../random.ts';
import { zoo } from '../zoo/index.ts';
import { networkOf } from '../zoo/network.ts';
import { batchNormalization } from './batch-norm.ts';
import { compileTraining, type TrainingOptions } from './compile.ts';
import { dropoutMask } from './dropout.ts';

const engine = await ortCpu({ threads: 1 });
const [B, F, STEPS] = [8, 5, 6];
const network = zoo({ mlp: { hidden: [7] } }, { input: { kind: 'FEATURES', width: F }, outputs: 3 });
const params = network.initialise(Random.from(1, 'init'));
const SGD: Optimizer = { kind: 'SGD', learningRate: 1, momentum: 0, weightDecay: 0 };
const base = { network, loss: 'SOFTMAX_CROSS_ENTROPY', optimizer: SGD, batchSize: B } as const;

const random = Random.from(2, 'rows');
const chunk: Chunk = {
  x: Float32Array.from({ length: STEPS * B * F }, () => random.normal()),
  y: Int32Array.from({ length: STEPS * B }, () => random.int(3)),
  weight: Float32Array.from({ length: STEPS * B }, (_, row) => [1, 0.5, 0, 2][row % 4] ?? 1),
  learningRate: 0.1,
};

async function train(options: TrainingOptions, rows = chunk): Promise<{ state: State; losses: Float32Array }> {
  const program = compileTraining(options);
  const trainer = await engine.trainer(program);
  const result = await trainer.run(
    initialState(program, options.network === network ? params : initial(options)),
    rows,
  );
  await trainer.close();
  return result;
}
const initial = (options: TrainingOptions) => options.network.initialise(Random.from(1, 'init'));
const far = (a: Float32Array, b: Float32Array) =>
  Math.max(...a.map((value, i) => Math.abs(value - (b[i] ?? Number.NaN))));

describe('a step', () => {
  test('in parts gives what it gives at once, whatever a row counts', async () => {
    const whole = await train(base);
    const settings = { ...base, lossSettings: { classWeights: [1, 0.3, 2], labelSmoothing: 0.1, ignoreIndex: 1 } };
    const settled = await train(settings);
    for (const accumulate of [2, 4, 8]) {
      const parts = await train({ ...base, accumulate });
      expect(far(parts.losses, whole.losses)).toBeLessThan(1e-5);
      expect(far(parts.state.params, whole.state.params)).toBeLessThan(1e-5);
      expect(far((await train({ ...settings, accumulate })).state.params, settled.state.params)).toBeLessThan(1e-5);
    }
    expect(() => compileTraining({ ...base, accumulate: 3 })).toThrow('accumulate 3 must divide the batch size 8');
  });

  test('is shortened to the norm where it is longer', async () => {
    const one = {
      ...chunk,
      x: chunk.x.subarray(0, B * F),
      y: chunk.y.subarray(0, B),
      weight: chunk.weight.subarray(0, B),
    };
    const moved = async (clipNorm?: number) => {
      const { state } = await train({ ...base, clipNorm }, { ...one, learningRate: 1 });
      return state.params.map((p, i) => p - (params[i] ?? 0));
    };
    const norm = (v: Float32Array) => Math.hypot(...v);
    const free = await moved();
    const short = await moved(norm(free) / 4);
    expect(norm(short)).toBeCloseTo(norm(free) / 4, 5);
    expect(
      far(
        short.map((value) => value * 4),
        free,
      ),
    ).toBeLessThan(1e-5);
    expect(far(await moved(norm(free) * 2), free)).toBeLessThan(1e-6);
  });

  test('keeps an average of the weights, which is what is used then', async () => {
    const decay = 0.3;
    let ema = params.map(Number);
    let state = initialState(compileTraining({ ...base, ema: decay }), params);
    const trainer = await engine.trainer(compileTraining({ ...base, ema: decay }));
    for (let step = 0; step < STEPS; step++) {
      const cut = (width: number) => [step * B * width, (step + 1) * B * width] as const;
      const rows = { x: chunk.x.slice(...cut(F)), y: chunk.y.slice(...cut(1)), weight: chunk.weight.slice(...cut(1)) };
      state = (await trainer.run(state, { ...rows, learningRate: 0.1 })).state;
      const d = Math.min(decay, (2 + step) / (11 + step));
      ema = ema.map((value, i) => value + (1 - d) * ((state.params[i] ?? 0) - value));
    }
    expect(far(state.ema, Float32Array.from(ema))).toBeLessThan(1e-6);
    expect(weightsOf(state).params).toBe(state.ema);
    const plain = await train(base);
    expect(far(plain.state.params, state.params)).toBeLessThan(1e-6);
    expect(weightsOf(plain.state).params).toBe(plain.state.params);
  });
});

/** Batch norm and dropout: everything that a step must not forget or repeat. */
const noisy = networkOf({
  architecture: { mlp: { hidden: [] } }, // only a name: this network is not of the zoo
  input: { kind: 'FEATURES', width: F },
  outputs: 3,
  parameters: [[F, 3], [3], [3]].map((shape, i) => ({ name: `p${i}`, shape, decays: false, draw: (r) => r.normal() })),
  buffers: [
    { name: 'mean', shape: [3], initial: 0 },
    { name: 'variance', shape: [3], initial: 1 },
  ],
  forward(x, [w, gamma, beta], buffers, mode) {
    if (!w || !gamma || !beta || mode.kind === 'INFERENCE') throw new Error('this network is only trained');
    const { y, mean, variance } = batchNormalization(op.MatMul(x, w), gamma, beta, mode.weight);
    const running = buffers.map((buffer, i) => op.Add(op.Mul(buffer, 0.5), op.Mul(i === 0 ? mean : variance, 0.5)));
    return { logits: op.Mul(y, dropoutMask(y, 0.4, mode.seed)), buffers: running };
  },
});

describe('a network with state and chance', () => {
  const options: TrainingOptions = { ...base, network: noisy, seed: 5, ema: 0.9, clipNorm: 1 };

  test('one step per call gives what many steps per call give', async () => {
    const scanned = await train(options);
    const program = compileTraining({ ...options, loop: 'SINGLE' });
    const graph = await engine.graph(program.model);
    let state = initialState(program, initial(options));
    for (let step = 0; step < STEPS; step++) {
      const part = (array: Float32Array | Int32Array, width: number) =>
        array.subarray(step * B * width, (step + 1) * B * width);
      const vectors = (['params', 'ema', 'buffers'] as const).map((name) =>
        tensorOf(name, 'FLOAT', [state[name].length], state[name]),
      );
      const outputs = await graph.run([
        ...vectors,
        tensorOf('step', 'INT32', [1], [state.step]),
        tensorOf('x', 'FLOAT', [B, F], part(chunk.x, F)),
        tensorOf('y', 'INT32', [B], part(chunk.y, 1)),
        tensorOf('weight', 'FLOAT', [B], part(chunk.weight, 1)),
        tensorOf('learningRate', 'FLOAT', [], [0.1]),
      ]);
      const next = (name: string) => {
        const tensor = outputs.get(`${name}'`);
        return Float32Array.from(tensor ? numbersOf(tensor) : []);
      };
      state = { ...state, params: next('params'), ema: next('ema'), buffers: next('buffers'), step: step + 1 };
    }
    expect(state).toEqual(scanned.state);
  });

  test('padding neither learns nor enters statistics, and another seed is another training', async () => {
    const other = chunk.x.map((value, i) => (chunk.weight[Math.floor(i / F)] === 0 ? 1e3 : value));
    const [a, b] = [await train(options), await train(options, { ...chunk, x: other })];
    expect(b.state).toEqual(a.state);
    expect((await train({ ...options, seed: 6 })).state.params).not.toEqual(a.state.params);
  });

  test('a part of padding alone leaves the statistics as they were', async () => {
    const weight = chunk.weight.map((w, row) => (row % B < B / 2 ? 1 : 0 * w));
    const halves = await train({ ...options, accumulate: 2 }, { ...chunk, weight });
    const alone = compileTraining({ ...options, batchSize: B / 2 });
    const first = (array: Float32Array | Int32Array, width: number) =>
      array.filter((_, i) => Math.floor(i / width) % B < B / 2);
    const trainer = await engine.trainer(alone);
    const { state } = await trainer.run(initialState(alone, initial(options)), {
      x: first(chunk.x, F),
      y: first(chunk.y, 1),
      weight: new Float32Array((STEPS * B) / 2).fill(1),
      learningRate: 0.1,
    });
    expect(far(halves.state.buffers, state.buffers)).toBeLessThan(1e-5);
  });
});
