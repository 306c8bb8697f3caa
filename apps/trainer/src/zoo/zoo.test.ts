/** Networks: their parameters, and that validation and the artifact say the same. */
import { describe, expect, test } from 'vitest';
import type { Task } from '../contract/run-spec.ts';
import { ortCpu } from '../engine/ort-cpu.ts';
import { GraphBuilder } from '../ir/builder.ts';
import { encodeModel } from '../ir/encode.ts';
import { numbersOf, tensorOf } from '../ir/tensor.ts';
import { Random } from '../random.ts';
import { outputWidth, zoo } from './index.ts';
import { compileEvaluation, infer, outputName } from './inference.ts';

const engine = await ortCpu({ threads: 1 });

describe('mlp', () => {
  test('has the parameters that its widths say', () => {
    const network = zoo({ mlp: { hidden: [128, 64] } }, { input: { kind: 'FEATURES', width: 20 }, outputs: 1 });
    expect(network.parameters.map(({ name, shape }) => `${name} ${shape}`)).toEqual([
      'layer0.weight 20,128',
      'layer0.bias 128',
      'layer1.weight 128,64',
      'layer1.bias 64',
      'layer2.weight 64,1',
      'layer2.bias 1',
    ]);
    expect(network.parameterCount).toBe(20 * 128 + 128 + 128 * 64 + 64 + 64 + 1);
    expect(zoo({ mlp: { hidden: [] } }, { input: { kind: 'FEATURES', width: 3 }, outputs: 4 }).parameterCount).toBe(16);
  });

  test('starts as nn.Linear does: uniform within 1/sqrt(inputs), biases too', () => {
    const network = zoo({ mlp: { hidden: [50] } }, { input: { kind: 'FEATURES', width: 16 }, outputs: 2 });
    const params = network.initialise(Random.from(1, 'init'));
    const largest = (part: Float32Array) => Math.max(...part.map(Math.abs));
    const [first, second] = [params.subarray(0, 850), params.subarray(850)];
    expect(largest(first)).toBeLessThanOrEqual(0.25);
    expect(largest(first)).toBeGreaterThan(0.24);
    expect(largest(second)).toBeLessThanOrEqual(Math.fround(1 / Math.sqrt(50)));
    const variance = first.reduce((sum, w) => sum + w * w, 0) / first.length;
    expect(variance).toBeCloseTo(0.25 ** 2 / 3, 2);
    expect(network.initialise(Random.from(1, 'init'))).toEqual(params);
    expect(network.initialise(Random.from(2, 'init'))).not.toEqual(params);
  });
});

describe.each<[Task, number, number]>([
  ['BINARY', 1, 2],
  ['MULTICLASS', 5, 5],
  ['REGRESSION', 1, 1],
])('%s', (task, outputs, width) => {
  const network = zoo({ mlp: { hidden: [7, 3] } }, { input: { kind: 'FEATURES', width: 4 }, outputs });
  const random = Random.from(2, 'test');
  const params = network.initialise(random).map((value) => value * 4);
  const rows = 5000; // more than the engine evaluates in one call
  const x = Float32Array.from({ length: rows * 4 }, () => random.normal());

  /** Forward in double precision. */
  const logitsOf = (row: number): number[] => {
    let activation: number[] = Array.from(x.subarray(row * 4, row * 4 + 4));
    let at = 0;
    [7, 3, outputs].forEach((size, layer) => {
      const inputs = activation.length;
      const weight = (i: number, j: number) => params[at + i * size + j] ?? Number.NaN;
      const bias = (j: number) => params[at + inputs * size + j] ?? Number.NaN;
      const sums = Array.from({ length: size }, (_, j) =>
        activation.reduce((sum, a, i) => sum + a * weight(i, j), bias(j)),
      );
      activation = layer < 2 ? sums.map((value) => Math.max(0, value)) : sums;
      at += (inputs + 1) * size;
    });
    return activation;
  };
  const outputOf = (logits: number[]): number[] => {
    if (task === 'REGRESSION') return logits;
    const z = task === 'BINARY' ? [0, ...logits] : logits; // softmax of [0, z] is [1 - sigmoid(z), sigmoid(z)]
    const exps = z.map(Math.exp);
    return exps.map((e) => e / exps.reduce((a, b) => a + b));
  };

  test('evaluation and the artifact give what the formulas give', async () => {
    const evaluator = await engine.evaluator(compileEvaluation({ network, task }));
    const { logits, output } = await evaluator.run({ params, buffers: new Float32Array(0) }, x);
    expect([logits.length, output.length]).toEqual([rows * outputs, rows * width]);
    for (const row of [0, 1, 4095, 4096, rows - 1]) {
      const expected = logitsOf(row);
      const actual = [
        ...logits.subarray(row * outputs, (row + 1) * outputs),
        ...output.subarray(row * width, (row + 1) * width),
      ];
      [...expected, ...outputOf(expected)].forEach((value, index) => {
        expect(actual[index]).toBeCloseTo(value, 4);
      });
    }

    const g = new GraphBuilder('artifact');
    g.output(
      outputName(task),
      infer(g.input('x', 'FLOAT', ['N', 4]), { network, weights: { params, buffers: new Float32Array(0) }, task }),
    );
    const artifact = await engine.graph(encodeModel(g.model()));
    const answer = (await artifact.run([tensorOf('x', 'FLOAT', [3, 4], x.subarray(0, 12))])).get(outputName(task));
    expect(answer?.dims).toEqual(task === 'REGRESSION' ? [3] : [3, width]);
    (answer ? numbersOf(answer) : []).forEach((value, index) => {
      expect(value).toBeCloseTo(output[index] ?? Number.NaN, 6);
    });
  });
});

test('a logit per class, but one for two classes and for values', () => {
  expect([outputWidth('BINARY', 2), outputWidth('REGRESSION', null), outputWidth('MULTICLASS', 7)]).toEqual([1, 1, 7]);
  expect(() => outputWidth('MULTICLASS', null)).toThrow('needs the number of classes');
});

test('probabilities near 0 keep their digits, on both sides', async () => {
  const network = zoo({ mlp: { hidden: [] } }, { input: { kind: 'FEATURES', width: 1 }, outputs: 1 });
  const evaluator = await engine.evaluator(compileEvaluation({ network, task: 'BINARY' }));
  const { output } = await evaluator.run(
    { params: Float32Array.of(1, 0), buffers: new Float32Array(0) },
    Float32Array.of(15, -60, 0),
  );
  const [small = 0, one, one2, tiny = 0, ...halves] = output;
  expect(small / Math.exp(-15)).toBeCloseTo(1, 5);
  expect(tiny / Math.exp(-60)).toBeCloseTo(1, 5);
  expect(one).toBeCloseTo(1 - Math.exp(-15), 6);
  expect([one2, ...halves]).toEqual([1, 0.5, 0.5]);
});
