/** What imports find out by running: real shapes, free batches; newer opsets against onnxruntime-node. */
import type { Tensor } from '@anneal/edge/engine';
import { nodeRuntime } from '@anneal/edge/engine/node';
import * as ort from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { encodeModel } from '../ir/encode.ts';
import { tensorOf } from '../ir/tensor.ts';
import type { Attribute, Dim, Tensor as FileTensor, Model, Node } from '../ir/types.ts';
import { sha256 } from './digest.ts';
import { importModel } from './import.ts';

const int = (value: number): Attribute => ({ type: 'INT', value: BigInt(value) });
const ints = (...value: number[]): Attribute => ({ type: 'INTS', value: value.map(BigInt) });

function node(type: string, inputs: string[], output: string, attributes: Record<string, Attribute> = {}): Node {
  return { name: '', type, domain: '', inputs, outputs: [output], attributes: new Map(Object.entries(attributes)) };
}

interface Made {
  opset?: number;
  x: Dim[];
  y: Dim[] | null;
  nodes: Node[];
  initializers?: FileTensor[];
}

/** x -> y, both FLOAT. */
function made({ opset = 13, x, y, nodes, initializers = [] }: Made): Uint8Array<ArrayBuffer> {
  const info = (name: string, shape: Dim[] | null) => {
    return { name, type: { kind: 'TENSOR' as const, type: 'FLOAT' as const, shape } };
  };
  const graph = { name: 'made', nodes, initializers, sparseInitializers: [], values: [] };
  const model: Model = {
    irVersion: 4,
    opsets: [{ domain: '', version: opset }],
    producer: { name: 'test', version: '' },
    graph: { ...graph, inputs: [info('x', x)], outputs: [info('y', y)] },
    functions: [],
    metadata: new Map(),
  };
  return encodeModel(model);
}

function run(bytes: Uint8Array) {
  const source = { digest: sha256(bytes), byteLength: bytes.byteLength, filename: 'made.onnx' };
  const none = {
    ...{ signature: null, labels: null, positiveClass: null, threshold: null },
    ...{ preprocessing: null, data: null },
  };
  const spec = { formatVersion: 1 as const, kind: 'IMPORT' as const, source, ...none };
  return importModel({ bytes, spec, table: null, runtime: nodeRuntime, beat: () => {} });
}

/** Original in onnxruntime-node and artifact at the edge say the same. */
async function expectSame(original: Uint8Array<ArrayBuffer>, artifact: Uint8Array, dims: number[]): Promise<void> {
  const size = dims.reduce((product, dim) => product * dim, 1);
  const data = Float32Array.from({ length: size }, (_, i) => Math.sin(3 * i) * 4);
  const native = await ort.InferenceSession.create(original);
  const expected = await native.run({ x: new ort.Tensor('float32', data, dims) });
  await native.release();
  const x: Tensor = { type: 'float32', dims, data };
  const { y } = (await nodeRuntime()).createSession(artifact).run({ x });
  expect(y?.dims).toEqual(expected.y?.dims);
  const values = Array.from(expected.y?.data as Float32Array);
  expect(values.length).toBeGreaterThan(0);
  values.forEach((value, i) => {
    expect(Number(y?.data[i])).toBeCloseTo(value, 5);
  });
}

const weights = [tensorOf('w', 'FLOAT', [3, 2], [1, -2, 3, -4, 5, -6])];

test('opset 9 and 10 run as they are', async () => {
  const scales = tensorOf('scales', 'FLOAT', [4], [1, 1, 2, 2]);
  const nine = made({
    opset: 9,
    x: ['N', 1, 4, 4],
    y: null,
    nodes: [
      node('Slice', ['x'], 'a', { axes: ints(2), starts: ints(1), ends: ints(3) }),
      node('Upsample', ['a', 'scales'], 'b', { mode: { type: 'STRING', value: 'nearest' } }),
      node('Clip', ['b'], 'y', { min: { type: 'FLOAT', value: -1 }, max: { type: 'FLOAT', value: 2 } }),
    ],
    initializers: [scales],
  });
  const ten = made({
    opset: 10,
    x: ['N', 3],
    y: null,
    nodes: [
      node('Gemm', ['x', 'w', 'b'], 'a'),
      node('Dropout', ['a'], 'd', { ratio: { type: 'FLOAT', value: 0.5 } }),
      node('Unsqueeze', ['d'], 'u', { axes: ints(1) }),
      node('Pad', ['u'], 'y', { pads: ints(0, 0, 1, 0, 0, 0), value: { type: 'FLOAT', value: 7 } }),
    ],
    initializers: [...weights, tensorOf('b', 'FLOAT', [2], [0.5, 1])],
  });
  for (const [bytes, dims] of [[nine, [2, 1, 4, 4]] as const, [ten, [3, 3]] as const]) {
    const { artifact, report } = await run(bytes);
    expect(report.changes).toEqual([]);
    expect(artifact).toEqual(bytes);
    await expectSame(bytes, artifact, [...dims]);
  }
});

test('a batch of a fixed size is freed where rows stand alone, reshapes and all', async () => {
  const initializers = [...weights, tensorOf('flat', 'INT64', [2], [2, 3])];
  const nodes = [node('Reshape', ['x', 'flat'], 'f'), node('MatMul', ['f', 'w'], 'y')];
  const bytes = made({ x: [2, 1, 3], y: [2, 2], nodes, initializers });
  const { artifact, manifest, report } = await run(bytes);
  expect(manifest).toMatchObject({ inputs: [{ shape: [-1, 1, 3] }], outputs: [{ shape: [-1, 2] }] });
  expect(report.changes).toEqual([expect.stringContaining('batch of 2 became one of any size')]);
  await expectSame(bytes, artifact, [2, 1, 3]);
});

test('it stays fixed where rows see each other', async () => {
  const nodes = [node('Softmax', ['x'], 'y', { axis: int(0) })];
  const bytes = made({ x: [2, 3], y: [2, 3], nodes });
  const { artifact, manifest } = await run(bytes);
  expect(manifest).toMatchObject({ inputs: [{ shape: [2, 3] }], outputs: [{ shape: [2, 3] }] });
  expect(artifact).toEqual(bytes);
});

test('axes that are declared free and are not; published shapes that are wrong', async () => {
  const nodes = [node('MatMul', ['x', 'w'], 'y')];
  const { manifest, report } = await run(made({ x: ['N', 'K'], y: ['N', 768], nodes, initializers: weights }));
  expect(manifest).toMatchObject({ inputs: [{ shape: [-1, 3] }], outputs: [{ shape: [-1, 2] }] });
  expect(report.shapes).toEqual([
    { name: 'x', kind: 'INPUT', declared: [-1, -1], found: [-1, 3] },
    { name: 'y', kind: 'OUTPUT', declared: [-1, 768], found: [-1, 2] },
  ]);
});

test('an input of a length that the weights cannot have', async () => {
  const nodes = [node('MatMul', ['x', 'w'], 'y')];
  const { manifest, report } = await run(made({ x: [1, 5], y: [1, 2], nodes, initializers: weights }));
  expect(manifest).toMatchObject({ inputs: [{ shape: [-1, 3] }], outputs: [{ shape: [-1, 2] }] });
  expect(report.changes).toEqual([expect.stringContaining('contradict')]);
  expect(report.shapes[0]).toEqual({ name: 'x', kind: 'INPUT', declared: [1, 5], found: [-1, 3] });
});
