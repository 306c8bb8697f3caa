/**
 * One suite that every engine runs: the same programs on the same data give the losses, parameters and outputs of
 * ORT_CPU within float32's tolerance, and the same bytes when repeated.
 */
import { existsSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { compileTraining, type TrainingOptions } from '../autodiff/compile.ts';
import type { Architecture, Optimizer, Task } from '../contract/run-spec.ts';
import { initialState, type State, weightsOf } from '../optim/state.ts';
import { Random } from '../random.ts';
import { type Network, type NetworkInput, zoo } from '../zoo/index.ts';
import { compileEvaluation } from '../zoo/inference.ts';
import { type Chunk, type Engine, EngineError, type EngineName, openEngine } from './index.ts';
import { ortCpu } from './ort-cpu.ts';
import { ortWebgpu } from './ort-webgpu.ts';

const STEPS = 20;
const BATCH = 6;
/** Software Vulkan, where Debian's Chromium puts it: a GPU for tests. */
const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';

const adamw: Optimizer = {
  kind: 'ADAMW',
  learningRate: 0.01,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0.01,
};
const sgd: Optimizer = { kind: 'SGD', learningRate: 0.05, momentum: 0.9, weightDecay: 0.001 };
const image: NetworkInput = { kind: 'TENSOR', shape: [2, 8, 8] };
const tokens: NetworkInput = { kind: 'TOKENS', vocabulary: 11, maxLength: 6 };
const encoder = { layers: 1, width: 8, heads: 2, feedForward: 12 };

interface Case {
  architecture: Architecture;
  input: NetworkInput;
  task: Task;
  optimizer: Optimizer;
  more?: Partial<TrainingOptions>;
}
const CASES: Record<string, Case> = {
  'mlp, binary, SGD': {
    architecture: { mlp: { hidden: [5, 4] } },
    input: { kind: 'FEATURES', width: 3 },
    task: 'BINARY',
    optimizer: sgd,
  },
  'mlp, regression, AdamW': {
    architecture: { mlp: { hidden: [5] } },
    input: { kind: 'FEATURES', width: 3 },
    task: 'REGRESSION',
    optimizer: adamw,
  },
  'cnn in parts, clipped, averaged': {
    architecture: { cnn: { channels: [4], kernel: 3, hidden: [], dropout: 0.2 } },
    input: image,
    task: 'MULTICLASS',
    optimizer: { ...adamw, kind: 'ADAM' },
    more: { accumulate: 3, clipNorm: 0.5, ema: 0.9, lossSettings: { labelSmoothing: 0.1 } },
  },
  'cnn with dropout': {
    architecture: { cnn: { channels: [4, 6], kernel: 3, hidden: [8], dropout: 0.3 } },
    input: image,
    task: 'MULTICLASS',
    optimizer: adamw,
  },
  resnet: {
    architecture: { resnet: { block: 'BASIC', depths: [1, 1], width: 4 } },
    input: image,
    task: 'MULTICLASS',
    optimizer: sgd,
  },
  inception: {
    architecture: { inception: { depths: [1], width: 0.0625, dropout: 0 } },
    input: image,
    task: 'MULTICLASS',
    optimizer: sgd,
  },
  'transformer, learned positions, post-norm, CLS': {
    architecture: { transformer: { ...encoder, dropout: 0.1, positions: 'LEARNED', norm: 'POST', pooling: 'CLS' } },
    input: tokens,
    task: 'MULTICLASS',
    optimizer: adamw,
  },
  'transformer, rotary positions, pre-norm, mean': {
    architecture: { transformer: { ...encoder, dropout: 0, positions: 'ROTARY', norm: 'PRE', pooling: 'MEAN' } },
    input: tokens,
    task: 'MULTICLASS',
    optimizer: adamw,
  },
};

const LOSSES = { BINARY: 'BCE_WITH_LOGITS', MULTICLASS: 'SOFTMAX_CROSS_ENTROPY', REGRESSION: 'MSE' } as const;

/** Rows, and the last batch with padding, as the training loop makes them. */
function chunkOf({ input, task }: Case): Chunk {
  const random = Random.from(7, 'conformance');
  const rows = STEPS * BATCH;
  const rowSize = input.kind === 'FEATURES' ? input.width : input.kind === 'TENSOR' ? 2 * 8 * 8 : input.maxLength;
  const vocabulary = input.kind === 'TOKENS' ? input.vocabulary : 0;
  const token = (index: number) =>
    index % rowSize < 2 + (Math.floor(index / rowSize) % 4) ? 1 + random.int(vocabulary - 1) : 0;
  return {
    x:
      vocabulary > 0
        ? Int32Array.from({ length: rows * rowSize }, (_, index) => token(index))
        : Float32Array.from({ length: rows * rowSize }, () => random.normal()),
    y:
      task === 'REGRESSION'
        ? Float32Array.from({ length: rows }, () => random.normal())
        : Int32Array.from({ length: rows }, () => random.int(task === 'BINARY' ? 2 : 3)),
    weight: Float32Array.from({ length: rows }, (_, row) => (row >= rows - 2 ? 0 : 1)),
    learningRate: Float32Array.from({ length: STEPS }, (_, step) => 0.02 / (1 + step / 10)),
  };
}

interface Trained {
  losses: Float32Array;
  state: State;
  logits: Float32Array;
  output: Float32Array;
}

/** What is compiled for an engine. */
const kind = ({ loop, target }: Engine) => ({ loop, target });

/** Where the chunk is cut in two. */
const FIRST = 7;

/** Trains in chunks with the state held, reads it, and asks the network. */
async function train(engine: Engine, one: Case, cuts: readonly number[] = [FIRST, STEPS]): Promise<Trained> {
  const { architecture, input, task, optimizer } = one;
  const network: Network = zoo(architecture, { input, outputs: task === 'MULTICLASS' ? 3 : 1 });
  const options = { network, loss: LOSSES[task], optimizer, batchSize: BATCH, seed: 3, ...one.more, ...kind(engine) };
  const program = compileTraining(options);
  const trainer = await engine.trainer(program);
  const chunk = chunkOf(one);
  const from = initialState(program, network.initialise(Random.from(5, 'init')));
  const held = await engine.hold(from);
  const losses: number[] = [];
  for (const [i, end] of cuts.entries()) losses.push(...(await trainer.step(held, part(chunk, cuts[i - 1] ?? 0, end))));
  const state = await held.read();
  await held.close();
  await trainer.close();
  const evaluator = await engine.evaluator(compileEvaluation({ network, task, gpu: engine.target === 'WEBGPU' }));
  const { logits, output } = await evaluator.run(weightsOf(state), chunk.x);
  await evaluator.close();
  return { losses: Float32Array.from(losses), state, logits, output };
}

function part({ x, y, weight, learningRate }: Chunk, from: number, to: number): Chunk {
  const cut = <T extends Float32Array | Int32Array>(array: T) =>
    array.subarray((array.length / STEPS) * from, (array.length / STEPS) * to) as T;
  return { x: cut(x), y: cut(y), weight: cut(weight), learningRate: cut(learningRate as Float32Array) };
}

/** |a-b| <= 1e-3 + 1e-3 |b|, the tolerance that publishing has for GPUs and TensorFlow.js. */
function expectClose(actual: Float32Array, expected: Float32Array, what: string): void {
  expect(actual.length, what).toBe(expected.length);
  let worst = 0;
  for (const [i, b] of expected.entries())
    worst = Math.max(worst, Math.abs((actual[i] ?? Number.NaN) - b) / (1 + Math.abs(b)));
  expect(worst, what).toBeLessThanOrEqual(1e-3);
}

/** How each engine is opened here, or why it is not. */
const ENGINES: Record<Exclude<EngineName, 'ORT_CUDA'>, { open: () => Promise<Engine>; absent?: string }> = {
  ORT_CPU: { open: async () => ortCpu({ threads: 2 }) },
  ORT_WASM: { open: async () => (await openEngine('ORT_WASM', { threads: 1 })).engine },
  ORT_WEBGPU: {
    open: () => ortWebgpu({ threads: 1 }, { cpuFallback: false }), // every node must run on the GPU
    ...(existsSync(SWIFTSHADER) ? {} : { absent: `no ${SWIFTSHADER}: apt-get install chromium libvulkan1` }),
  },
  TFJS: { open: async () => (await openEngine('TFJS', { threads: 1 })).engine },
};

beforeAll(() => {
  process.env.VK_ICD_FILENAMES = SWIFTSHADER;
});

const references = new Map<string, Promise<Trained>>();
/** What ORT_CPU says on one thread; computed once. */
function referenceOf(title: string, one: Case): Promise<Trained> {
  const known = references.get(title) ?? train(ortCpu({ threads: 1 }), one);
  references.set(title, known);
  return known;
}

describe.each(Object.entries(ENGINES))('%s', (_name, { open, absent }) => {
  describe.skipIf(absent)(absent ?? 'is here', () => {
    let engine: Engine;
    beforeAll(async () => {
      engine = await open();
    });

    test.each(Object.keys(CASES))(
      '%s: as ORT_CPU, and the same bytes again',
      async (title) => {
        const one = CASES[title] as Case;
        const expected = await referenceOf(title, one);
        const got = await train(engine, one);
        expect(expected.losses.every(Number.isFinite)).toBe(true);
        expectClose(got.losses, expected.losses, 'losses');
        expectClose(got.state.params, expected.state.params, 'params');
        expectClose(got.state.ema, expected.state.ema, 'ema');
        expectClose(got.state.buffers, expected.state.buffers, 'buffers');
        expectClose(got.logits, expected.logits, 'logits');
        expectClose(got.output, expected.output, 'output');
        expect(got.state.step).toBe(STEPS);
        // Each loss depends on every parameter of the steps before it.
        const again = await train(engine, one, [FIRST]);
        expect(again.losses).toEqual(got.losses.subarray(0, FIRST));
      },
      120_000,
    );

    test('refuses a state that another engine holds', async () => {
      const one = CASES['mlp, binary, SGD'] as Case;
      const network = zoo(one.architecture, { input: one.input, outputs: 1 });
      const options = { network, loss: LOSSES.BINARY, optimizer: sgd, batchSize: BATCH, ...kind(engine) };
      const program = compileTraining(options);
      const trainer = await engine.trainer(program);
      const stranger = { read: async () => initialState(program, new Float32Array(0)), close: async () => {} };
      await expect(trainer.step(stranger, chunkOf(one))).rejects.toThrow(EngineError);
      await trainer.close();
    });
  });
});
