/** Old operators against plain arithmetic of what their opset says, run in the edge's own runtime. */
import type { Outputs } from '@anneal/edge/engine';
import { nodeRuntime } from '@anneal/edge/engine/node';
import { describe, expect, test } from 'vitest';
import { checkModel } from '../ir/check.ts';
import { decodeModel } from '../ir/decode.ts';
import { encodeModel } from '../ir/encode.ts';
import { tensorOf } from '../ir/tensor.ts';
import type { Attribute, Model, Node, Tensor } from '../ir/types.ts';
import { modernised } from './opset.ts';

const int = (value: number): Attribute => ({ type: 'INT', value: BigInt(value) });
const ints = (...value: number[]): Attribute => ({ type: 'INTS', value: value.map(BigInt) });
const text = (value: string): Attribute => ({ type: 'STRING', value });
const weights = (name: string, dims: number[], values: number[]): Tensor => tensorOf(name, 'FLOAT', dims, values);

interface Old {
  opset: number;
  type: string;
  input: number[];
  more?: Tensor[];
  attributes?: Record<string, Attribute>;
  output?: 'FLOAT' | 'INT32';
}

/** One node x, ... -> y of an old opset. */
function old({ opset, type, input, more = [], attributes = {}, output = 'FLOAT' }: Old): Model {
  const node: Node = {
    name: 'old',
    type,
    domain: '',
    inputs: ['x', ...more.map(({ name }) => name)],
    outputs: ['y'],
    attributes: new Map(Object.entries(attributes)),
  };
  const named = (name: string, shape: number[] | null) => ({
    name,
    type: { kind: 'TENSOR' as const, type: 'FLOAT' as const, shape },
  });
  const infos = more.map(({ name, dims }) => named(name, [...dims]));
  const graph = {
    name: 'old',
    nodes: [node],
    initializers: more,
    sparseInitializers: [],
    inputs: [named('x', input), ...infos],
    outputs: [{ name: 'y', type: { kind: 'TENSOR' as const, type: output, shape: null } }],
    values: [],
  };
  const producer = { name: 'test', version: '' };
  const opsets = [{ domain: '', version: opset }];
  return { irVersion: 3, opsets, producer, graph, functions: [], metadata: new Map() };
}

async function answers(model: Model, dims: number[], x: number[]): Promise<number[]> {
  const converted = modernised(decodeModel(encodeModel(model)));
  checkModel(converted.model);
  expect(converted.changes[0]).toContain(`opset ${model.opsets[0]?.version} converted to 7`);
  const session = (await nodeRuntime()).createSession(encodeModel(converted.model));
  const outputs: Outputs = session.run({ x: { type: 'float32', dims, data: Float32Array.from(x) } });
  return Array.from(outputs.y?.data ?? [], Number);
}

const range = (n: number) => Array.from({ length: n }, (_, i) => i - n / 3);

describe('models older than opset 7', () => {
  test('a second operand stands at its axis', async () => {
    const x = range(2 * 3 * 4);
    const model = old({
      opset: 6,
      type: 'Add',
      input: [2, 3, 4],
      more: [weights('b', [3], [10, 20, 30])],
      attributes: { broadcast: int(1), axis: int(1) },
    });
    const expected = x.map((value, i) => value + 10 * (1 + (Math.floor(i / 4) % 3)));
    expect(await answers(model, [2, 3, 4], x)).toEqual(expected.map(Math.fround));
  });

  test('a second operand without an axis stands at the end', async () => {
    const x = range(6);
    const attributes = { broadcast: int(1) };
    const model = old({ opset: 5, type: 'Mul', input: [2, 3], more: [weights('b', [3], [1, 2, 3])], attributes });
    expect(await answers(model, [2, 3], x)).toEqual(x.map((value, i) => Math.fround(value * (1 + (i % 3)))));
  });

  test('an axis inside of a graph is found by inference', async () => {
    const model = old({
      opset: 6,
      type: 'Sub',
      input: [2, 3, 2],
      more: [weights('b', [2, 3], [1, 2, 3, 4, 5, 6])],
      attributes: { broadcast: int(1), axis: int(0) },
    });
    const before: Node = { name: '', type: 'Relu', domain: '', inputs: ['in'], outputs: ['x'], attributes: new Map() };
    const [, ...rest] = model.graph.inputs;
    const first = { name: 'in', type: { kind: 'TENSOR' as const, type: 'FLOAT' as const, shape: [2, 3, 2] } };
    const deeper = {
      ...model,
      graph: { ...model.graph, inputs: [first, ...rest], nodes: [before, ...model.graph.nodes] },
    };
    const converted = modernised(deeper).model;
    checkModel(converted);
    const session = (await nodeRuntime()).createSession(encodeModel(converted));
    const x = range(12);
    const { y } = session.run({ in: { type: 'float32', dims: [2, 3, 2], data: Float32Array.from(x) } });
    const expected = x.map((value, i) => Math.fround(Math.max(0, Math.fround(value)) - (1 + Math.floor(i / 2))));
    expect(Array.from(y?.data ?? [], Number)).toEqual(expected);
  });

  test('BatchNormalization for inference', async () => {
    const of = (name: string, values: number[]) => weights(name, [2], values);
    const more = [of('scale', [2, 3]), of('bias', [1, -1]), of('mean', [0.5, 1]), of('var', [4, 9])];
    const attributes = { is_test: int(1), epsilon: { type: 'FLOAT' as const, value: 0 }, spatial: int(1) };
    const x = range(2 * 2 * 3);
    const got = await answers(
      old({ opset: 6, type: 'BatchNormalization', input: [2, 2, 3], more, attributes }),
      [2, 2, 3],
      x,
    );
    x.forEach((value, i) => {
      const c = Math.floor(i / 3) % 2;
      expect(got[i]).toBeCloseTo(c === 0 ? (2 * (value - 0.5)) / 2 + 1 : (3 * (value - 1)) / 3 - 1, 5);
    });
  });

  test('BatchNormalization for training is refused by name', () => {
    const of = (name: string) => weights(name, [2], [1, 1]);
    const more = [of('scale'), of('bias'), of('mean'), of('var')];
    const model = old({ opset: 6, type: 'BatchNormalization', input: [2, 2, 3], more });
    expect(() => modernised(model)).toThrow(
      /node 0 \(BatchNormalization "old"\): operator BatchNormalization of ai.onnx, opset 6: .*training.*Export/,
    );
  });

  test('Dropout passes on', async () => {
    const model = old({ opset: 6, type: 'Dropout', input: [4], attributes: { is_test: int(1) } });
    expect(await answers(model, [4], [1, -2, 3, 0])).toEqual([1, -2, 3, 0]);
  });

  test('Cast names its type by a text, Reshape has its shape as attribute', async () => {
    const cast = old({ opset: 5, type: 'Cast', input: [3], attributes: { to: text('INT32') }, output: 'INT32' });
    expect(await answers(cast, [3], [1.7, -2.2, 3])).toEqual([1, -2, 3]);
    const reshape = old({ opset: 4, type: 'Reshape', input: [2, 3], attributes: { shape: ints(3, -1) } });
    expect(await answers(reshape, [2, 3], range(6))).toEqual(range(6));
  });

  test('PRelu has a slope for each channel', async () => {
    const x = [-1, -2, -3, -4, 5, -6, 7, -8];
    const model = old({ opset: 6, type: 'PRelu', input: [1, 2, 2, 2], more: [weights('slope', [2], [0.5, 0.25])] });
    const expected = x.map((value, i) => (value > 0 ? value : value * (i < 4 ? 0.5 : 0.25)));
    expect(await answers(model, [1, 2, 2, 2], x)).toEqual(expected);
  });

  test('Upsample had two scales, Pad other names, Concat a default axis', async () => {
    const float = (value: number): Attribute => ({ type: 'FLOAT', value });
    const attributes = { mode: text('nearest'), width_scale: float(2), height_scale: float(1) };
    const upsample = old({ opset: 1, type: 'Upsample', input: [1, 1, 1, 2], attributes });
    expect(await answers(upsample, [1, 1, 1, 2], [3, 4])).toEqual([3, 3, 4, 4]);
    const pad = old({ opset: 1, type: 'Pad', input: [1, 2], attributes: { paddings: ints(0, 1, 0, 0) } });
    expect(await answers(pad, [1, 2], [3, 4])).toEqual([0, 3, 4]);
    const concat = old({ opset: 3, type: 'Concat', input: [1, 2], more: [weights('b', [1, 1], [9])] });
    expect(await answers(concat, [1, 2], [3, 4])).toEqual([3, 4, 9]);
  });

  test('newer models stay as they are', () => {
    const model = old({ opset: 9, type: 'Relu', input: [2] });
    expect(modernised(model)).toEqual({ model, changes: [] });
  });
});
