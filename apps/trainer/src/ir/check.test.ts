/** Each refusal of the checker, with the place and the expectation that it names. */
import { describe, expect, test } from 'vitest';
import { checkModel } from './check.ts';
import { sorted } from './sort.ts';
import { definitionAt } from './standard.ts';
import { tensorOf } from './tensor.ts';
import type { Attribute, DataType, Graph, LocalFunction, Model, Node } from './types.ts';

const node = (type: string, inputs: string[], outputs: string[], more: Partial<Node> = {}): Node => ({
  ...{ name: '', domain: '', type, inputs, outputs, attributes: new Map() },
  ...more,
});

const value = (name: string, type: DataType = 'FLOAT', shape: readonly (number | string)[] = ['N', 4]) =>
  ({ name, type: { kind: 'TENSOR', type, shape } }) as const;

function graphOf(nodes: readonly Node[], more: Partial<Graph> = {}): Graph {
  const empty = { name: 'g', initializers: [], sparseInitializers: [], inputs: [value('x')], outputs: [], values: [] };
  return { ...empty, nodes, ...more };
}

function modelOf(nodes: readonly Node[], graph: Partial<Graph> = {}, more: Partial<Model> = {}): Model {
  return {
    irVersion: 10,
    opsets: [{ domain: '', version: 21 }],
    producer: { name: '', version: '' },
    graph: graphOf(nodes, graph),
    functions: [],
    metadata: new Map(),
    ...more,
  };
}

const opset = (version: number, domain = '') => ({ opsets: [{ domain, version }] });

function local(more: Partial<LocalFunction>): LocalFunction {
  const nodes = [node('Relu', ['a'], ['b'])];
  const empty = { domain: 'my', name: 'F', inputs: ['a'], outputs: ['b'], attributes: [], defaults: new Map() };
  return { ...empty, ...opset(21), nodes, values: [], ...more };
}

const call = (name = 'F', more: Partial<Node> = {}) => node(name, ['x'], ['y'], { domain: 'my', ...more });
const withFunctions = (...functions: LocalFunction[]): Partial<Model> => ({
  functions,
  opsets: [
    { domain: '', version: 21 },
    { domain: 'my', version: 1 },
  ],
});
const graphAttribute = (graph: Graph) => ({ type: 'GRAPH', value: graph }) as const;
const attributes = (entries: Record<string, Attribute>) => ({ attributes: new Map(Object.entries(entries)) });

describe('accepts', () => {
  test.each<[string, Model]>([
    ['a chain', modelOf([node('Relu', ['x'], ['a']), node('Add', ['a', 'x'], ['y'])], { outputs: [value('y')] })],
    ['a call of a local function', modelOf([call()], {}, withFunctions(local({})))],
    [
      'an initializer that is an input too',
      modelOf([node('Add', ['x', 'w'], ['y'])], {
        inputs: [value('x'), value('w', 'FLOAT', [4])],
        initializers: [tensorOf('w', 'FLOAT', [4], [1, 2, 3, 4])],
      }),
    ],
    [
      'a branch that uses an outer value',
      modelOf([
        node('ReduceMax', ['x'], ['top'], attributes({ keepdims: { type: 'INT', value: 0n } })),
        node('Cast', ['top'], ['c'], attributes({ to: { type: 'INT', value: 9n } })),
        node(
          'If',
          ['c'],
          ['y'],
          attributes({
            then_branch: graphAttribute(graphOf([node('Relu', ['x'], ['t'])], { inputs: [], outputs: [value('t')] })),
            else_branch: graphAttribute(graphOf([node('Neg', ['x'], ['e'])], { inputs: [], outputs: [value('e')] })),
          }),
        ),
      ]),
    ],
  ])('%s', (_, model) => {
    expect(() => checkModel(model)).not.toThrow();
  });
});

describe('refuses', () => {
  test.each<[string, Model, string]>([
    ['a format of the future', modelOf([], {}, { irVersion: 14 }), 'ir_version must be in 1..13; it is 14'],
    ['no opset', modelOf([], {}, { opsets: [] }), 'model: no opset_import'],
    ['an opset of the future', modelOf([], {}, opset(27)), '"ai.onnx" must be in 1..26; it is 27'],
    [
      'an unknown operator',
      modelOf([node('Rellu', ['x'], ['y'], { name: 'act' })]),
      'node 0 (Rellu "act"): ai.onnx 21 has no operator Rellu: no version has it',
    ],
    [
      'an operator that came later',
      modelOf([node('Gelu', ['x'], ['y'])], {}, opset(17)),
      'node 0 (Gelu): ai.onnx 17 has no operator Gelu: it came with version 20',
    ],
    [
      'a withdrawn operator',
      modelOf([node('Upsample', ['x', 'x'], ['y'])]),
      'ai.onnx 21 has no operator Upsample any more: it was withdrawn with version 10',
    ],
    [
      'a meaning that no runtime has',
      modelOf([node('Add', ['x', 'x'], ['y'])], {}, opset(6)),
      'Add as ai.onnx 6 defines it is not supported, only as from 7 on',
    ],
    [
      'an unknown domain',
      modelOf([node('Thing', ['x'], ['y'], { domain: 'com.acme' })]),
      'the operators of domain "com.acme" are unknown here: custom operators are not supported',
    ],
    [
      'a domain that is not imported',
      modelOf([node('Scaler', ['x'], ['y'], { domain: 'ai.onnx.ml' })]),
      'no opset_import for its domain "ai.onnx.ml"; there is ai.onnx 21',
    ],
    ['too few inputs', modelOf([node('Add', ['x'], ['y'])]), 'node 0 (Add): has 1 inputs, expected 2'],
    ['too many inputs', modelOf([node('Clip', ['x', '', '', 'x'], ['y'])]), 'has 4 inputs, expected 1 to 3'],
    ['none of many inputs', modelOf([node('Concat', [], ['y'])]), 'has 0 inputs, expected at least 1'],
    ['too many outputs', modelOf([node('Relu', ['x'], ['y', 'z'])]), 'has 2 outputs, expected 1'],
    [
      'an undefined input',
      modelOf([node('Add', ['x', 'nobody'], ['y'])]),
      'node 0 (Add): input 1 "nobody" is made by no node before it and is no input or initializer',
    ],
    [
      'nodes out of order',
      modelOf([node('Relu', ['a'], ['b']), node('Relu', ['x'], ['a'])]),
      'node 0 (Relu): input 0 "a" is made later, by node 1 (Relu): nodes must be in topological order',
    ],
    [
      'a cycle',
      modelOf([node('Add', ['x', 'b'], ['a']), node('Relu', ['a'], ['b'])]),
      'node 0 (Add): input 1 "b" is made by node 1 (Relu), which itself needs this node: a cycle',
    ],
    [
      'a value that is made twice',
      modelOf([node('Relu', ['x'], ['y']), node('Neg', ['x'], ['y'])]),
      'node 1 (Neg): the output "y" is defined twice',
    ],
    ['an output that nobody makes', modelOf([], { outputs: [value('y')] }), 'graph "g": the output "y" is made by no'],
    [
      'types that do not fit',
      modelOf([node('Add', ['x', 'i'], ['y'])], { inputs: [value('x'), value('i', 'INT64')] }),
      'node 0 (Add): input 1 "i" must be FLOAT like input 0; it is INT64 [N,4]',
    ],
    [
      'shapes that do not fit',
      modelOf([node('MatMul', ['x', 'w'], ['y'])], { inputs: [value('x'), value('w', 'FLOAT', [5, 2])] }),
      'node 0 (MatMul): input 1 "w" must be of length 4 along the axis that input 0 [N,4] is multiplied over',
    ],
    [
      'a declared type that is not what comes',
      modelOf([node('Relu', ['x'], ['y'])], { outputs: [value('y', 'DOUBLE')] }),
      'node 0 (Relu): "y" is FLOAT [N,4], declared as DOUBLE [N,4]',
    ],
    [
      'an attribute of another type',
      modelOf([node('Flatten', ['x'], ['y'], attributes({ axis: { type: 'FLOAT', value: 1 } }))]),
      'node 0 (Flatten): attribute "axis" must be INT; it is FLOAT',
    ],
    [
      'a mistake inside of a subgraph',
      modelOf([
        node('Scan', ['x'], ['y'], {
          name: 'loop',
          ...attributes({ body: graphAttribute(graphOf([node('Relu', ['z'], ['r'])], { inputs: [value('s')] })) }),
        }),
      ]),
      'node 0 (Scan "loop") > node 0 (Relu): input 0 "z" is made by no node',
    ],
    [
      'a reference outside of a function',
      modelOf([node('Flatten', ['x'], ['y'], attributes({ axis: { type: 'REFERENCE', value: 'a', of: 'INT' } }))]),
      'attribute "axis" refers to "a", but stands outside of a function',
    ],
    [
      'a call without its attribute',
      modelOf([call()], {}, withFunctions(local({ attributes: ['width'] }))),
      'node 0 (F): needs the attribute "width"',
    ],
    [
      'functions in a circle',
      modelOf(
        [call()],
        {},
        withFunctions(local({ nodes: [node('F', ['a'], ['b'], { domain: 'my' })], ...opset(1, 'my') })),
      ),
      'functions call each other: "my.F" -> "my.F"',
    ],
  ])('%s', (_, model, message) => {
    expect(() => checkModel(model)).toThrow(message);
  });
});

test('sorting puts nodes in order and leaves a cycle for the checker', () => {
  const late = modelOf([node('Relu', ['b'], ['y']), node('Relu', ['a'], ['b']), node('Neg', ['x'], ['a'])]);
  expect(sorted(late).graph.nodes.map(({ outputs }) => outputs[0])).toEqual(['a', 'b', 'y']);
  checkModel(sorted(late));
  const cycle = modelOf([node('Add', ['x', 'b'], ['a']), node('Relu', ['a'], ['b'])]);
  expect(() => checkModel(sorted(cycle))).toThrow('a cycle');
});

test('the table of operators is read as it is meant', () => {
  expect(definitionAt('', 'Clip', 21)).toEqual({ since: 13, inputs: [1, 3], outputs: [1, 1], withdrawn: false });
  expect(definitionAt('', 'Clip', 10)).toEqual({ since: 6, inputs: [1, 1], outputs: [1, 1], withdrawn: false });
  expect(definitionAt('', 'Attention', 22)).toBeUndefined();
  expect(definitionAt('', 'Concat', 21)?.inputs[1]).toBe(Number.POSITIVE_INFINITY);
  expect(definitionAt('ai.onnx.ml', 'TreeEnsemble', 5)?.since).toBe(5);
  expect(definitionAt('', 'Scatter', 21)?.withdrawn).toBe(true);
});
