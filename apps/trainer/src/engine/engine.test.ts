/** Which engine a run gets, what an engine refuses, and how long chunks become. */
import { describe, expect, test } from 'vitest';
import { compileTraining } from '../autodiff/compile.ts';
import { initialState } from '../optim/state.ts';
import { Random } from '../random.ts';
import { zoo } from '../zoo/index.ts';
import { compileEvaluation } from '../zoo/inference.ts';
import { availableEngines, type Chunk, chooseEngine, EngineError, openEngine, Pace } from './index.ts';

const network = zoo({ mlp: { hidden: [3] } }, { inputs: 2, outputs: 1 });
const optimizer = { kind: 'SGD', learningRate: 0.1, momentum: 0.9, weightDecay: 0 } as const;

describe('chooseEngine', () => {
  test('AUTO takes the first that is present, and says why', async () => {
    const { engine, why } = await openEngine('AUTO', { threads: 1 });
    expect(engine.name).toBe('ORT_CPU');
    expect(engine.device).toMatch(/^CPU, 1 thread, ONNX Runtime 1\.\d+/);
    expect(why).toBe('AUTO: the fastest engine present (ORT_CPU: present)');
    expect(await availableEngines()).toEqual([{ name: 'ORT_CPU', absent: null }]);
  });

  test('a requested engine that is absent is an error, never another engine', () => {
    const absent = [{ name: 'ORT_CPU', absent: "Cannot find package 'onnxruntime-node'" }] as const;
    expect(() => chooseEngine('ORT_CPU', absent)).toThrow(
      "ORT_CPU was requested but is not usable here (ORT_CPU: Cannot find package 'onnxruntime-node')",
    );
    expect(() => chooseEngine('AUTO', absent)).toThrow('AUTO: no engine is usable on this machine');
    expect(chooseEngine('ORT_CPU', [{ name: 'ORT_CPU', absent: null }]).why).toBe('ORT_CPU: requested');
  });
});

describe('a trainer refuses', () => {
  const good: Chunk = {
    x: new Float32Array(2 * 4 * 2),
    y: new Int32Array(2 * 4),
    weight: new Float32Array(2 * 4).fill(1),
    learningRate: 0.1,
  };
  test.each<[string, Partial<Chunk>, string]>([
    ['rows of another width', { x: new Float32Array(15) }, 'chunk.x has 15 values; expected 16'],
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
    await expect(evaluator.run(new Float32Array(12), new Float32Array(2))).rejects.toThrow('expected 13');
    await expect(evaluator.run(new Float32Array(13), new Float32Array(3))).rejects.toThrow('a multiple of 2 features');
    const none = await evaluator.run(new Float32Array(13), new Float32Array(0));
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
    const wide = zoo({ mlp: { hidden: [] } }, { inputs: 10_000, outputs: 1 });
    const pace = Pace.of(compileTraining({ network: wide, loss: 'MSE', optimizer, batchSize: 512 }));
    pace.measured(1, 0);
    expect(pace.next(1e6)).toBe(3);
  });
});
