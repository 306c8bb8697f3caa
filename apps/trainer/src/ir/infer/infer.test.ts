/**
 * Inference over decoded files against what the builder knew when it made them: the two were written apart, and every
 * operation that can be built must come out the same. (The runtime's word on both is test/conformance.)
 */
import { describe, expect, test } from 'vitest';
import { gradients } from '../../autodiff/gradients.ts';
import { CASES as ACTIVATION } from '../../autodiff/rules/activation.cases.ts';
import { CASES as ATTENTION } from '../../autodiff/rules/attention.cases.ts';
import { CASES as CONV } from '../../autodiff/rules/conv.cases.ts';
import { CASES as EINSUM } from '../../autodiff/rules/einsum.cases.ts';
import { CASES as ELEMENTWISE } from '../../autodiff/rules/elementwise.cases.ts';
import { CASES as LAYOUT } from '../../autodiff/rules/layout.cases.ts';
import { CASES as MATRIX } from '../../autodiff/rules/matrix.cases.ts';
import { CASES as NORMALISE } from '../../autodiff/rules/normalise.cases.ts';
import { CASES as POOL } from '../../autodiff/rules/pool.cases.ts';
import { CASES as RECURRENT } from '../../autodiff/rules/recurrent.cases.ts';
import { CASES as REDUCE } from '../../autodiff/rules/reduce.cases.ts';
import { CASES as RESIZE } from '../../autodiff/rules/resize.cases.ts';
import { CASES as SELECT } from '../../autodiff/rules/select.cases.ts';
import { RULES } from '../../autodiff/rules.ts';
import { GraphBuilder, type Value } from '../builder.ts';
import { checkModel } from '../check.ts';
import { decodeModel } from '../decode.ts';
import { encodeModel } from '../encode.ts';
import * as op from '../ops.ts';
import type { Attribute, Graph, Model, Node } from '../types.ts';
import { spell } from './fact.ts';
import { inferTypes } from './infer.ts';
import { ruleOf } from './rules.ts';

const CASES = {
  ...ACTIVATION,
  ...ATTENTION,
  ...CONV,
  ...EINSUM,
  ...ELEMENTWISE,
  ...LAYOUT,
  ...MATRIX,
  ...NORMALISE,
  ...POOL,
  ...RECURRENT,
  ...REDUCE,
  ...RESIZE,
  ...SELECT,
};

/** Every value whose type and shape inference and builder spell differently. */
function differences(g: GraphBuilder): string[] {
  const model = decodeModel(encodeModel(g.model()));
  checkModel(model);
  const outputs = model.graph.outputs.map(({ name }) => ({ name, type: null }));
  const facts = inferTypes({ ...model, graph: { ...model.graph, outputs } });
  if (facts.size < g.inputs.length + model.graph.nodes.length) throw new Error('a node was left out');
  return g.operations.flatMap(({ type, outputs: values }) =>
    values.flatMap((value) => {
      const fact = facts.get(value.name); // absent: dead code, or renamed to the graph's output
      const known = spell({ kind: 'TENSOR', type: value.type, shape: value.shape });
      return !fact || spell(fact.type) === known ? [] : [`${type}: ${spell(fact.type)}, built as ${known}`];
    }),
  );
}

describe('inference agrees with the builder', () => {
  test('the cases are the differentiable operations', () => {
    const differentiable = Object.entries(RULES).flatMap(([name, rule]) => (typeof rule === 'function' ? [name] : []));
    expect(Object.keys(CASES).sort()).toEqual(differentiable.sort());
  });

  test('every operation that can be built has a rule', () => {
    const missing = Object.keys(op).filter((name) => !ruleOf('', name));
    expect(missing).toEqual([]);
  });

  test.each(Object.entries(CASES))('%s and its gradient', (_, cases) => {
    for (const { type = 'DOUBLE', inputs, build } of cases) {
      const g = new GraphBuilder('case');
      const values = inputs.map(({ dims }, index) => g.input(`x${index}`, type, dims));
      const results = [build(...values)].flat();
      const loss = results
        .map((result): Value => op.ReduceSum(op.Mul(result, result)))
        .reduce((sum, one) => op.Add(sum, one));
      gradients(loss, values).forEach((dx, index) => {
        g.output(`d${index}`, dx);
      });
      expect(differences(g)).toEqual([]);
    }
  });

  test('with named axes, a loop and table cells', () => {
    const g = new GraphBuilder('named');
    const x = g.input('x', 'FLOAT', ['N', 4]);
    const body = new GraphBuilder('body', 'body/');
    const sum = op.Add(body.input('body/sum', 'FLOAT', [4]), body.input('body/row', 'FLOAT', [4]));
    body.output('body/next', sum);
    body.output('body/twice', op.Mul(sum, 2));
    const [last, all] = op.Scan(g, { body, states: [g.constant('FLOAT', [4], [0, 0, 0, 0])], sequences: [x] });
    const index = op.LabelEncoder(g.input('s', 'STRING', ['N', 1]), { keys: ['a'], values: [1], fallback: 0 });
    const hot = op.Squeeze(op.OneHot(index, 2), [1]);
    if (last && all) g.output('all', op.Concat([op.Sub(all, last), hot, op.Reshape(x, ['N', 4])], 1));
    expect(differences(g)).toEqual([]);
    const facts = inferTypes(decodeModel(encodeModel(g.model())));
    expect(spell(facts.get('all')?.type ?? null)).toBe('FLOAT [N,10]');
  });
});

const node = (type: string, inputs: string[], outputs: string[], attributes: Record<string, Attribute> = {}): Node => ({
  ...{ name: '', domain: '', type, inputs, outputs },
  attributes: new Map(Object.entries(attributes)),
});

function modelOf(graph: Partial<Graph>, more: Partial<Model> = {}): Model {
  const empty = { name: 'g', nodes: [], initializers: [], sparseInitializers: [], inputs: [], outputs: [], values: [] };
  return {
    irVersion: 10,
    opsets: [{ domain: '', version: 21 }],
    producer: { name: '', version: '' },
    graph: { ...empty, ...graph },
    functions: [],
    metadata: new Map(),
    ...more,
  };
}

const input = (name: string, shape: readonly (number | string | null)[]) =>
  ({ name, type: { kind: 'TENSOR', type: 'FLOAT', shape } }) as const;

describe('inference', () => {
  test('follows shapes that are computed', () => {
    // The reshape of every exported attention: [N,T,8] -> [N,T,2,4], the lengths read from the input's shape.
    const int64s = (values: number[]): Attribute => ({ type: 'INTS', value: values.map(BigInt) });
    const model = modelOf({
      inputs: [input('x', ['N', 'T', 8])],
      nodes: [
        node('Shape', ['x'], ['shape']),
        node('Constant', [], ['two'], { value_ints: int64s([0, 1]) }),
        node('Gather', ['shape', 'two'], ['front']),
        node('Constant', [], ['heads'], { value_ints: int64s([2, -1]) }),
        node('Concat', ['front', 'heads'], ['target'], { axis: { type: 'INT', value: 0n } }),
        node('Reshape', ['x', 'target'], ['y']),
      ],
    });
    expect(spell(inferTypes(model).get('y')?.type ?? null)).toBe('FLOAT [N,T,2,4]');
  });

  test('goes into local functions with the attributes of the call', () => {
    const reference = { type: 'REFERENCE', value: 'width', of: 'INT' } as const;
    const local = {
      ...{ domain: 'my', name: 'Flat', inputs: ['a'], outputs: ['b'], attributes: [], values: [] },
      defaults: new Map<string, Attribute>([['width', { type: 'INT', value: 1n }]]),
      opsets: [{ domain: '', version: 21 }],
      nodes: [node('Flatten', ['a'], ['b'], { axis: reference })],
    };
    const call = (attributes: Record<string, Attribute>) => ({
      ...node('Flat', ['x'], ['y'], attributes),
      domain: 'my',
    });
    const shape = (one: Node) => {
      const opsets = [...local.opsets, { domain: 'my', version: 1 }];
      const model = modelOf({ inputs: [input('x', [2, 3, 5])], nodes: [one] }, { opsets, functions: [local] });
      checkModel(model);
      return spell(inferTypes(model).get('y')?.type ?? null);
    };
    expect(shape(call({}))).toBe('FLOAT [2,15]');
    expect(shape(call({ width: { type: 'INT', value: 2n } }))).toBe('FLOAT [6,5]');
  });

  test('stays bounded where a hostile graph grows', () => {
    const nodes = Array.from({ length: 200 }, (_, at) => node('Gather', [`v${at}`, `v${at}`], [`v${at + 1}`]));
    const facts = inferTypes(
      modelOf({ inputs: [{ name: 'v0', type: { kind: 'TENSOR', type: 'INT64', shape: [2, 2] } }], nodes }),
    );
    expect(spell(facts.get('v200')?.type ?? null)).toBe('INT64 of unknown rank');
    const doubling = Array.from({ length: 40 }, (_, at) => ({
      ...{ domain: 'my', name: `F${at}`, inputs: ['a'], outputs: ['c'], attributes: [], values: [] },
      defaults: new Map(),
      opsets: [{ domain: 'my', version: 1 }],
      nodes: [
        { ...node(`F${at + 1}`, ['a'], ['b']), domain: 'my' },
        { ...node(`F${at + 1}`, ['b'], ['c']), domain: 'my' },
      ],
    }));
    const calls = modelOf({ nodes: [{ ...node('F0', ['x'], ['y']), domain: 'my' }], inputs: [input('x', [1])] });
    expect(() => inferTypes({ ...calls, functions: doubling })).toThrow(/nested too deeply|too large/);
  });
});
