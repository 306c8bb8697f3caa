/** Finite differences for every row of the table of gradients, run on the engine that trains. */
import { describe, expect, test } from 'vitest';
import { ortCpu } from '../engine/ort-cpu.ts';
import { GraphBuilder } from '../ir/builder.ts';
import { encodeModel } from '../ir/encode.ts';
import * as op from '../ir/ops.ts';
import { numbersOf, tensorOf } from '../ir/tensor.ts';
import type { RealType } from '../ir/types.ts';
import { Random } from '../random.ts';
import { checkGradient, type GradientCase, type LoadGraph } from './check.ts';
import { gradients } from './gradients.ts';
import { type DifferentiableOp, RULES } from './rules.ts';

const engine = ortCpu({ threads: 1 });
const load: LoadGraph = async (model) => {
  const graph = await engine.graph(model);
  return (inputs) => graph.run(inputs);
};

const random = Random.from(1, 'gradients');
/** Normal numbers that keep away from 0, where |x|, relu and max have a kink. */
const any = () => {
  const x = random.normal();
  return x + Math.sign(x) * 0.1;
};
const positive = () => 0.3 + random.float();

function fill(dims: readonly number[], draw: () => number = any): GradientCase['inputs'][number] {
  return { dims, values: Array.from({ length: dims.reduce((a, b) => a * b, 1) }, draw) };
}

type Case = Omit<GradientCase, 'type'> & { type?: RealType };

/** Total over the differentiable operations: a rule without a check does not compile. */
const CASES: Record<DifferentiableOp, readonly Case[]> = {
  Add: [
    { inputs: [fill([2, 3]), fill([2, 3])], build: op.Add },
    { inputs: [fill([2, 3]), fill([3])], build: op.Add },
    { inputs: [fill([2, 1]), fill([4, 1, 3])], build: op.Add },
    { inputs: [fill([3])], build: (x) => op.Add(op.Mul(x, 2), x) },
  ],
  Sub: [
    { inputs: [fill([2, 3]), fill([3])], build: op.Sub },
    { inputs: [fill([]), fill([2, 1])], build: op.Sub },
  ],
  Mul: [
    { inputs: [fill([2, 3]), fill([1, 3])], build: op.Mul },
    { inputs: [fill([3])], build: (x) => op.Mul(x, x) },
  ],
  Div: [{ inputs: [fill([2, 3]), fill([3], positive)], build: op.Div }],
  Pow: [
    { inputs: [fill([4], positive)], build: (x) => op.Pow(x, 2.5) },
    { inputs: [fill([4])], build: (x) => op.Pow(x, 3) },
  ],
  Neg: [{ inputs: [fill([3])], build: op.Neg }],
  Abs: [{ inputs: [fill([5])], build: op.Abs }],
  Exp: [{ inputs: [fill([3])], build: op.Exp }],
  Log: [{ inputs: [fill([3], positive)], build: op.Log }],
  Sqrt: [{ inputs: [fill([3], positive)], build: op.Sqrt }],
  Erf: [{ inputs: [fill([3])], build: op.Erf, type: 'FLOAT' }],
  Relu: [{ inputs: [fill([2, 4])], build: op.Relu }],
  Sigmoid: [{ inputs: [fill([4])], build: op.Sigmoid }],
  Tanh: [{ inputs: [fill([4])], build: op.Tanh }],
  Softplus: [{ inputs: [fill([4])], build: op.Softplus, type: 'FLOAT' }],
  Clip: [
    { inputs: [fill([8])], build: (x) => op.Clip(x, -0.6, 0.7) },
    { inputs: [fill([8])], build: (x) => op.Clip(x, null, 0.5) },
    { inputs: [fill([8])], build: (x) => op.Clip(x, null, null) },
  ],
  Where: [
    { inputs: [fill([2, 3]), fill([3])], build: (a, b) => op.Where(op.Greater(a, 0), a, b) },
    { inputs: [fill([2, 3]), fill([])], build: (a, b) => op.Where(op.Greater(a, 0), b, op.Mul(a, 2)) },
  ],
  Identity: [{ inputs: [fill([3])], build: op.Identity }],
  Cast: [{ inputs: [fill([3])], build: (x) => op.Cast(op.Mul(op.Cast(x, 'FLOAT'), 3), 'DOUBLE'), type: 'DOUBLE' }],
  MatMul: [
    { inputs: [fill([2, 3]), fill([3, 4])], build: op.MatMul },
    { inputs: [fill([2, 5, 3]), fill([3, 2])], build: op.MatMul },
    { inputs: [fill([2, 1, 2, 3]), fill([4, 3, 2])], build: op.MatMul },
  ],
  Gemm: [
    { inputs: [fill([2, 3]), fill([3, 4]), fill([4])], build: (a, b, c) => op.Gemm(a, b, c && { c }) },
    { inputs: [fill([3, 2]), fill([3, 4])], build: (a, b) => op.Gemm(a, b, { transA: true }) },
    { inputs: [fill([2, 3]), fill([4, 3]), fill([2, 1])], build: (a, b, c) => op.Gemm(a, b, { c, transB: true }) },
    {
      inputs: [fill([3, 2]), fill([4, 3]), fill([])],
      build: (a, b, c) => op.Gemm(a, b, { c, transA: true, transB: true }),
    },
  ],
  ReduceSum: [
    { inputs: [fill([2, 3, 2])], build: (x) => op.ReduceSum(x) },
    { inputs: [fill([2, 3, 2])], build: (x) => op.ReduceSum(x, { axes: [1] }) },
    { inputs: [fill([2, 3, 2])], build: (x) => op.ReduceSum(x, { axes: [0, -1], keep: true }) },
    { inputs: [fill([2, 3])], build: (x) => op.ReduceSum(x, { axes: [] }) },
  ],
  ReduceMean: [
    { inputs: [fill([2, 3, 2])], build: (x) => op.ReduceMean(x, { axes: [0, 1] }) },
    { inputs: [fill([4])], build: (x) => op.ReduceMean(x, { keep: true }) },
  ],
  ReduceMax: [
    { inputs: [fill([2, 4])], build: (x) => op.ReduceMax(x, { axes: [1] }) },
    { inputs: [fill([2, 4])], build: (x) => op.ReduceMax(x, { axes: [0], keep: true }) },
  ],
  Softmax: [
    { inputs: [fill([2, 4])], build: (x) => op.Softmax(x) },
    { inputs: [fill([2, 3, 2])], build: (x) => op.Softmax(x, 1) },
  ],
  LogSoftmax: [{ inputs: [fill([2, 4])], build: (x) => op.LogSoftmax(x) }],
  Reshape: [{ inputs: [fill([2, 6])], build: (x) => op.Reshape(x, [3, 4]) }],
  Squeeze: [{ inputs: [fill([2, 1, 3, 1])], build: (x) => op.Squeeze(x, [1, -1]) }],
  Unsqueeze: [{ inputs: [fill([2, 3])], build: (x) => op.Unsqueeze(x, [0, -1]) }],
  Expand: [{ inputs: [fill([2, 1])], build: (x) => op.Expand(x, [3, 2, 4]) }],
  Transpose: [{ inputs: [fill([2, 3, 4])], build: (x) => op.Transpose(x, [2, 0, 1]) }],
  Concat: [{ inputs: [fill([2, 3]), fill([2, 1]), fill([2, 2])], build: (...x) => op.Concat(x, 1) }],
  Split: [
    { inputs: [fill([6, 2])], build: (x) => op.Split(x, [1, 3, 2], 0) },
    { inputs: [fill([2, 5])], build: (x) => op.Split(x, [2, 3], 1).slice(1) },
  ],
  Slice: [
    { inputs: [fill([4, 5])], build: (x) => op.Slice(x, [{ axis: 1, start: 1, end: 4 }]) },
    {
      inputs: [fill([4, 5])],
      build: (x) =>
        op.Slice(x, [
          { axis: -1, start: 0, end: 2 },
          { axis: 0, start: 2, end: 4 },
        ]),
    },
  ],
  Pad: [{ inputs: [fill([2, 3])], build: (x) => op.Pad(x, [1, 0], [0, 2]) }],
  Gather: [
    { inputs: [fill([4, 3])], build: (x) => op.Gather(x, x.graph.constant('INT32', [2, 3], [0, 2, 2, 3, 2, 0])) },
    { inputs: [fill([2, 4, 3])], build: (x) => op.Gather(x, x.graph.constant('INT64', [5], [1, 1, 3, 0, 1]), 1) },
  ],
};

describe('every rule agrees with the measured slope', () => {
  const rules = Object.entries(RULES).flatMap(([name, rule]) => (typeof rule === 'function' ? [name] : []));
  test('the cases are the rules', () => {
    expect(Object.keys(CASES).sort()).toEqual(rules.sort());
  });
  for (const [name, cases] of Object.entries(CASES))
    test(name, async () => {
      for (const { type = 'DOUBLE', ...rest } of cases) {
        const worst = await checkGradient({ type, ...rest }, load);
        // A cast through FLOAT and FLOAT itself leave the measured slope about three digits.
        expect(worst).toBeLessThan(type === 'FLOAT' || name === 'Cast' ? 5e-3 : 1e-7);
      }
    });
});

describe('gradients', () => {
  test('a wrong gradient is noticed', async () => {
    const wrong: GradientCase = {
      type: 'DOUBLE',
      inputs: [fill([3])],
      // round trip through INT64 has no gradient, but the value moves with x
      build: (x) => op.Add(op.Cast(op.Cast(op.Mul(x, 1e6), 'INT64'), 'DOUBLE'), x),
    };
    expect(await checkGradient(wrong, load)).toBeGreaterThan(0.5);
  });

  test('equal maxima share', async () => {
    const g = new GraphBuilder('ties');
    const x = g.input('x', 'FLOAT', [4]);
    gradients(op.ReduceMax(x), [x]).forEach((dx) => {
      g.output('dx', dx);
    });
    const run = await load(encodeModel(g.model()));
    const dx = (await run([tensorOf('x', 'FLOAT', [4], [1, 3, 3, 2])])).get('dx');
    expect(dx && numbersOf(dx)).toEqual([0, 0.5, 0.5, 0]);
  });

  test('says what it cannot do', () => {
    const g = new GraphBuilder('errors');
    const x = g.input('x', 'FLOAT', [3]);
    const other = g.input('other', 'FLOAT', []);
    expect(() => gradients(x, [x])).toThrow('gradients: "x" must be one real number; it is FLOAT [3]');
    expect(() => gradients(op.ReduceSum(x), [other])).toThrow('does not depend on "other"');
    const places = g.constant('INT64', [1, 1], [0]);
    const scattered = op.ScatterND(x, places, g.constant('FLOAT', [1], [1]));
    expect(() => gradients(op.ReduceSum(scattered), [x])).toThrow('no gradient rule for ScatterND yet');
    const n = g.input('n', 'FLOAT', ['N']);
    expect(() => gradients(op.ReduceSum(n), [n])).toThrow('gradients need a graph without named axes');
  });
});
