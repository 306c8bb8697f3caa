/** Shapes and types are inferred as the runtime has them, and mistakes say where, what was expected and what came. */
import { describe, expect, test } from 'vitest';
import { ortCpu } from '../engine/ort-cpu.ts';
import { GraphBuilder, type Value } from './builder.ts';
import { encodeModel } from './encode.ts';
import { GraphError } from './errors.ts';
import * as op from './ops.ts';
import { describe as spell } from './shapes.ts';
import { numbersOf, tensorOf } from './tensor.ts';
import type { Tensor } from './types.ts';

const engine = ortCpu({ threads: 1 });

/** Builds a graph, runs it, and answers its output; the session checks the inferred shapes strictly. */
async function run(inputs: readonly Tensor[], build: (g: GraphBuilder) => Value): Promise<Tensor> {
  const g = new GraphBuilder('test');
  g.output('y', build(g));
  const graph = await engine.graph(encodeModel(g.model()));
  const output = (await graph.run(inputs)).get('y');
  if (!output) throw new Error('no output y');
  return output;
}

describe('inferred shapes', () => {
  const g = new GraphBuilder('shapes');
  const x = g.input('x', 'FLOAT', ['N', 4]);
  const w = g.input('w', 'FLOAT', [4, 3]);
  const t = g.input('t', 'DOUBLE', [2, 3, 4]);
  test.each<[string, Value, string]>([
    ['MatMul', op.MatMul(x, w), 'FLOAT [N,3]'],
    ['Gemm', op.Gemm(x, w, { c: g.constant('FLOAT', [3], [0, 0, 0]) }), 'FLOAT [N,3]'],
    ['a batch of products', op.MatMul(t, g.input('u', 'DOUBLE', [5, 1, 4, 2])), 'DOUBLE [5,2,3,2]'],
    ['broadcasting', op.Add(x, g.input('row', 'FLOAT', [1, 4])), 'FLOAT [N,4]'],
    ['a number', op.Sub(1, x), 'FLOAT [N,4]'],
    ['comparison', op.Greater(x, 0), 'BOOL [N,4]'],
    ['ReduceSum', op.ReduceSum(t, { axes: [-1], keep: true }), 'DOUBLE [2,3,1]'],
    ['ReduceMean of all', op.ReduceMean(t), 'DOUBLE []'],
    ['Reshape with a name', op.Reshape(x, [2, 'N', 2]), 'FLOAT [2,N,2]'],
    ['Transpose', op.Transpose(t, [2, 0, 1]), 'DOUBLE [4,2,3]'],
    ['Concat', op.Concat([x, x], 1), 'FLOAT [N,8]'],
    ['Gather', op.Gather(t, g.input('i', 'INT32', [7, 2]), 1), 'DOUBLE [2,7,2,4]'],
    ['Cast', op.Cast(t, 'FLOAT'), 'FLOAT [2,3,4]'],
    ['Unsqueeze', op.Unsqueeze(x, [-1, 0]), 'FLOAT [1,N,4,1]'],
  ])('%s', (_, value, expected) => {
    expect(spell(value.type, value.shape)).toBe(expected);
  });
});

describe('mistakes', () => {
  const build = () => {
    const g = new GraphBuilder('net');
    return { g, x: g.input('x', 'FLOAT', ['N', 4]), w: g.input('w', 'FLOAT', [3, 2]), d: g.input('d', 'DOUBLE', [4]) };
  };
  type Parts = ReturnType<typeof build>;
  test.each<[string, (parts: Parts) => unknown, string]>([
    [
      'inner sizes differ',
      ({ g, x, w }) => g.scope('hidden1', () => op.MatMul(x, w)),
      'MatMul in hidden1/: input 1 "w" must be [...,4,n] for [N,4]; it is FLOAT [3,2]',
    ],
    ['types differ', ({ x, d }) => op.Add(x, d), 'Add: input 1 "d" must be FLOAT like input 0 "x"; it is DOUBLE [4]'],
    ['no broadcast', ({ x, w }) => op.Mul(x, w), 'Mul: input 1 "w" must be of a shape that broadcasts with [N,4]'],
    ['wrong type', ({ x }) => op.Not(x), 'Not: input 0 "x" must be BOOL; it is FLOAT [N,4]'],
    ['no such axis', ({ x }) => op.ReduceSum(x, { axes: [2] }), 'ReduceSum: axis 2 must be in [-2, 2); input 0 "x"'],
    ['lost elements', ({ w }) => op.Reshape(w, [4]), 'Reshape: input 0 "w" must be of as many elements as [4]'],
    ['cut too far', ({ w }) => op.Slice(w, [{ axis: 0, start: 2, end: 4 }]), 'long enough for 2..4 along axis 0'],
    ['pieces', ({ w }) => op.Split(w, [1, 1], 0), 'Split: input 0 "w" must be of length 2 along axis 0'],
    ['another graph', ({ x }) => op.Add(x, build().x), '"x" (FLOAT [N,4]) belongs to graph "net"'],
    ['a taken name', ({ g }) => g.input('x', 'FLOAT', []), 'the name "x" is taken'],
    ['no output', ({ g }) => g.graph(), 'graph "net" has no outputs'],
    ['too few values', ({ g }) => g.constant('FLOAT', [2], [1]), 'FLOAT [2] needs 2 values; got 1'],
    [
      'a dictionary without values',
      ({ g }) => op.LabelEncoder(g.input('s', 'STRING', [1]), { keys: ['a'], values: [], fallback: 0 }),
      'as many values as keys',
    ],
  ])('%s', (_, mistake, message) => {
    expect(() => mistake(build())).toThrow(GraphError);
    expect(() => mistake(build())).toThrow(message);
  });
});

describe('files', () => {
  test('hold only what the outputs need, and equal constants once', () => {
    const g = new GraphBuilder('lean');
    const x = g.input('x', 'FLOAT', [2]);
    op.Exp(x);
    g.output('y', op.Add(op.Mul(op.Add(x, 2), 2), -0));
    g.output('z', op.Add(x, 0));
    const { nodes, initializers } = g.graph();
    expect(nodes.map(({ type }) => type)).toEqual(['Add', 'Mul', 'Add', 'Add']);
    expect(nodes.map(({ outputs }) => outputs[0])).toEqual(['Add_0', 'Mul_0', 'y', 'z']);
    expect(initializers.map((tensor) => numbersOf(tensor)[0])).toEqual([2, -0, 0]);
  });

  test('name inputs, constants and values twice as outputs', async () => {
    const g = new GraphBuilder('names');
    const x = g.input('x', 'FLOAT', [1]);
    const y = op.Neg(x);
    for (const [name, value] of [
      ['a', x],
      ['b', y],
      ['c', y],
      ['d', g.constant('FLOAT', [1], [4])],
    ] as const)
      g.output(name, value);
    const graph = await engine.graph(encodeModel(g.model()));
    const outputs = await graph.run([tensorOf('x', 'FLOAT', [1], [3])]);
    expect(Object.fromEntries([...outputs].map(([name, tensor]) => [name, numbersOf(tensor)[0]]))).toEqual({
      a: 3,
      b: -3,
      c: -3,
      d: 4,
    });
  });
});

describe('table cells to numbers, over a named number of rows', () => {
  test('missing numbers are filled, then standardised in double', async () => {
    const ages = tensorOf('age', 'DOUBLE', [3, 1], [20, Number.NaN, 40]);
    const y = await run([ages], (g) => {
      const age = g.input('age', 'DOUBLE', ['N', 1]);
      const filled = op.Where(op.IsNaN(age), g.constant('DOUBLE', [1, 1], [30]), age);
      return op.Clip(op.Cast(op.Div(op.Sub(filled, 30), 10), 'FLOAT'), -0.5, 5);
    });
    expect([y.type, y.dims, numbersOf(y)]).toEqual(['FLOAT', [3, 1], [-0.5, 0, 1]]);
  });

  test('categories become one-hot rows, unknown ones their own slot', async () => {
    const y = await run([tensorOf('city', 'STRING', [3, 1], ['Ulm', '', 'Zürich'])], (g) => {
      const city = g.input('city', 'STRING', ['N', 1]);
      const slot = op.LabelEncoder(city, { keys: ['Ulm', 'Zürich'], values: [1n, 2n], fallback: 0 });
      return op.Squeeze(op.OneHot(slot, 3), [1]);
    });
    expect([y.dims, numbersOf(y)]).toEqual([
      [3, 3],
      [0, 1, 0, 1, 0, 0, 0, 0, 1],
    ]);
  });

  test('indices become strings, and strings are compared', async () => {
    const y = await run([tensorOf('i', 'INT64', [3], [1, 0, 9])], (g) => {
      const text = (value: string) => g.constant('STRING', [], [value]);
      const names = op.LabelEncoder(g.input('i', 'INT64', ['N']), {
        keys: [0, 1],
        values: ['no', 'yes'],
        fallback: '?',
      });
      const [yes, no] = [op.Equal(names, text('yes')), op.Equal(names, text('no'))];
      return op.And(op.Or(yes, op.Not(no)), yes);
    });
    expect(numbersOf(y)).toEqual([1, 0, 0]);
  });
});
