/** Which engine a run gets, what an engine refuses, and how long chunks become. */
import { describe, expect, test } from 'vitest';
import { compileTraining } from '../autodiff/compile.ts';
import type { EngineChoice } from '../contract/run-spec.ts';
import { initialState } from '../optim/state.ts';
import { Random } from '../random.ts';
import { zoo } from '../zoo/index.ts';
import { compileEvaluation } from '../zoo/inference.ts';
import { availableEngines, fastest } from './available.ts';
import { type Chunk, EngineError, openEngine, Pace } from './index.ts';
import { ortCpu } from './ort-cpu.ts';

const network = zoo({ mlp: { hidden: [3] } }, { input: { kind: 'FEATURES', width: 2 }, outputs: 1 });
const optimizer = { kind: 'SGD', learningRate: 0.1, momentum: 0.9, weightDecay: 0 } as const;

describe('openEngine', () => {
  const here = { open: async () => ortCpu({ threads: 1 }) };
  const gone = { open: () => Promise.reject(new Error("Cannot find package 'x'\nRequire stack: ...")) };
  const open = (choice: EngineChoice, openers: Parameters<typeof openEngine>[2]) =>
    openEngine(choice, { threads: 1 }, openers);

  test('AUTO takes the first that is present and fast, and says why not the others', async () => {
    const software = { ...here, slow: () => 'a software driver stands in for the GPU' };
    const { engine, why } = await open('AUTO', { ORT_CUDA: gone, ORT_WEBGPU: software, ORT_CPU: here });
    expect(engine.device).toMatch(/^CPU, 1 thread, ONNX Runtime 1\.\d+/);
    expect(why).toBe(
      "AUTO: the fastest engine here; ORT_CUDA: Cannot find package 'x'; " +
        'ORT_WEBGPU: a software driver stands in for the GPU',
    );
  });

  test('AUTO does not even try what is not promising; the name opens it', async () => {
    const unpromising = { ...gone, unpromising: () => 'this machine has no GPU' };
    expect((await open('AUTO', { ORT_CUDA: unpromising, ORT_CPU: here })).why).toContain(
      'ORT_CUDA: this machine has no GPU',
    );
    await expect(open('ORT_CUDA', { ORT_CUDA: unpromising, ORT_CPU: here })).rejects.toThrow("Cannot find package 'x'");
  });

  test('a requested engine that is absent is an error, never another engine', async () => {
    await expect(open('TFJS', { TFJS: gone, ORT_CPU: here })).rejects.toThrow(
      "TFJS was requested but is not usable here: Cannot find package 'x'.",
    );
    await expect(open('TFJS', { ORT_CPU: here })).rejects.toThrow(EngineError);
    await expect(open('AUTO', { TFJS: gone })).rejects.toThrow('AUTO: no engine is usable on this machine');
    expect((await open('ORT_CPU', { ORT_CPU: here })).why).toBe('requested');
  });
});

test('availableEngines tries every engine in a process of its own and gives each a device or a reason', async () => {
  const all = await availableEngines();
  expect(all.map(({ name }) => name)).toEqual(['ORT_CUDA', 'ORT_WEBGPU', 'TFJS', 'ORT_CPU', 'ORT_WASM']);
  for (const { absent, device } of all) expect(absent === null).toBe(device !== null);
  const byName = new Map(all.map((availability) => [availability.name, availability]));
  expect(byName.get('ORT_CPU')).toMatchObject({ absent: null, passedOver: null });
  expect(byName.get('ORT_WASM')?.device).toContain('WebAssembly');
  expect(fastest(all)).not.toBeNull();
  expect(fastest(all.map((one) => ({ ...one, absent: 'gone' })))).toBeNull();
}, 60_000);

describe('a trainer refuses', () => {
  const good: Chunk = {
    x: new Float32Array(2 * 4 * 2),
    y: new Int32Array(2 * 4),
    weight: new Float32Array(2 * 4).fill(1),
    learningRate: 0.1,
  };
  test.each<[string, Partial<Chunk>, string]>([
    ['rows of another width', { x: new Float32Array(15) }, 'chunk.x has 15 values; expected 16'],
    ['tokens where numbers are read', { x: new Int32Array(16) }, 'chunk.x is a Int32Array; the network reads FLOAT'],
    ['too few labels', { y: new Int32Array(7) }, 'chunk.y has 7 values; expected 8'],
    ['labels of another type', { y: new Float32Array(8) }, 'chunk.y is a Float32Array; the loss takes INT32 labels'],
    ['part of a batch', { weight: new Float32Array(6) }, 'chunk.weight has 6 values; expected a multiple of'],
    ['nothing', { weight: new Float32Array(0) }, 'chunk.weight has 0 values'],
    ['a rate for another number of steps', { learningRate: new Float32Array(3) }, 'chunk.learningRate has 3 values'],
    ['a batch of padding', { weight: Float32Array.of(1, 1, 1, 1, 0, 0, 0, 0) }, 'step 1 has no row of weight above 0'],
  ])('%s', async (_, wrong, message) => {
    const program = compileTraining({ network, loss: 'BCE_WITH_LOGITS', optimizer, batchSize: 4 });
    const { engine } = await openEngine('ORT_CPU', { threads: 1 });
    const trainer = await engine.trainer(program);
    const state = initialState(program, network.initialise(Random.from(1, 'init')));
    await expect(trainer.run(state, { ...good, ...wrong })).rejects.toThrow(EngineError);
    await expect(trainer.run(state, { ...good, ...wrong })).rejects.toThrow(message);
    await expect(trainer.run({ ...state, v: state.params }, good)).rejects.toThrow('state.v has 13 values; expected 0');
    expect((await trainer.run(state, good)).losses).toHaveLength(2);
    await trainer.close();
  });

  test('features and parameters of another network', async () => {
    const { engine } = await openEngine('ORT_CPU', { threads: 1 });
    const evaluator = await engine.evaluator(compileEvaluation({ network, task: 'BINARY' }));
    const weights = (length: number) => ({ params: new Float32Array(length), buffers: new Float32Array(0) });
    await expect(evaluator.run(weights(12), new Float32Array(2))).rejects.toThrow('expected 13');
    await expect(evaluator.run(weights(13), new Float32Array(3))).rejects.toThrow('a multiple of 2');
    const none = await evaluator.run(weights(13), new Float32Array(0));
    expect([none.logits.length, none.output.length]).toEqual([0, 0]);
    await evaluator.close();
  });
});

describe('Pace', () => {
  test('starts with one step, then fills the target, and stops at the end of an epoch', () => {
    const pace = new Pace({ targetMs: 150, maxSteps: 1000 });
    expect(pace.next(500)).toBe(1);
    pace.measured(1, 3);
    expect(pace.next(500)).toBe(50);
    expect(pace.next(7)).toBe(7);
    pace.measured(50, 5);
    expect(pace.next(5000)).toBe(1000);
    pace.measured(10, 9000);
    expect(pace.next(5000)).toBe(1);
  });

  test('keeps a chunk in memory', () => {
    const wide = zoo({ mlp: { hidden: [] } }, { input: { kind: 'FEATURES', width: 10_000 }, outputs: 1 });
    const pace = Pace.of(compileTraining({ network: wide, loss: 'MSE', optimizer, batchSize: 512 }));
    pace.measured(1, 0);
    expect(pace.next(1e6)).toBe(3);
  });
});
