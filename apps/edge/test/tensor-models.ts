/** ONNX models of plain tensors with their manifests: the models that the protocol's documents talk about. */
import type { Datatype, Manifest, TensorManifest } from '../src/contract.ts';
import { regressionManifest, sha256 } from './manifests.ts';
import { floats, model, node, onnx, value } from './models.ts';

const Type = onnx.TensorProto.DataType;
const to = (elemType: number) => [{ name: 'to', type: onnx.AttributeProto.AttributeType.INT, i: elemType }];
const keepdims = (i: number) => [{ name: 'keepdims', type: onnx.AttributeProto.AttributeType.INT, i }];
const ints = (name: string, dims: number[], int64Data: number[]) => ({ name, dataType: Type.INT64, dims, int64Data });

/** A model and what an edge must know of it. */
export interface TensorModel {
  bytes: Uint8Array;
  manifest: TensorManifest;
}

function described(bytes: Uint8Array, of: Pick<TensorManifest, 'inputs' | 'outputs'>): TensorModel {
  const artifact = { digest: sha256(bytes), byteLength: bytes.byteLength };
  return { bytes, manifest: { formatVersion: 1, kind: 'TENSORS', artifact, ...of } };
}

/**
 * "mymodel" of the protocol's inference example: input0 UINT32 [2,2], input1 BOOL [3] -> output0 FP32 [3,2]. Row i is
 * [i + 1, i + 1.1], its sign by input1[i], plus what the sum of input0 is above 10: the example's answer for
 * its inputs.
 */
export function exampleModel(): TensorModel {
  const bytes = model({
    input: [value('input0', Type.UINT32, [2, 2]), value('input1', Type.BOOL, [3])],
    output: [value('output0', Type.FLOAT, [3, 2])],
    node: [
      node('Cast', ['input0'], ['numbers'], to(Type.FLOAT)),
      node(
        'ReduceSum',
        ['numbers'],
        ['sum'],
        [{ name: 'keepdims', type: onnx.AttributeProto.AttributeType.INT, i: 0 }],
      ),
      node('Sub', ['sum', 'ten'], ['above']),
      node('Unsqueeze', ['input1', 'axes'], ['column']),
      node('Neg', ['rows'], ['negative']),
      node('Where', ['column', 'rows', 'negative'], ['signed']),
      node('Add', ['signed', 'above'], ['output0']),
    ],
    initializer: [floats('rows', [3, 2], [1, 1.1, 2, 2.1, 3, 3.1]), floats('ten', [], [10]), ints('axes', [1], [1])],
  });
  return described(bytes, {
    inputs: [
      { name: 'input0', datatype: 'UINT32', shape: [2, 2] },
      { name: 'input1', datatype: 'BOOL', shape: [3] },
    ],
    outputs: [{ name: 'output0', datatype: 'FP32', shape: [3, 2] }],
  });
}

/** "mymodel" of the classification extension: input0 UINT32 [2,2] -> output0 FP32 [4] = [1.1, 3.3, 0.5, 2.4]. */
export function classifierModel(labels?: string[]): TensorModel {
  const bytes = model({
    input: [value('input0', Type.UINT32, [2, 2])],
    output: [value('output0', Type.FLOAT, [4])],
    node: [
      node('Cast', ['input0'], ['numbers'], to(Type.FLOAT)),
      node('Reshape', ['numbers', 'four'], ['flat']),
      node('Mul', ['flat', 'zero'], ['nothing']),
      node('Add', ['nothing', 'scores'], ['output0']),
    ],
    initializer: [floats('scores', [4], [1.1, 3.3, 0.5, 2.4]), floats('zero', [], [0]), ints('four', [1], [4])],
  });
  return described(bytes, {
    inputs: [{ name: 'input0', datatype: 'UINT32', shape: [2, 2] }],
    outputs: [{ name: 'output0', datatype: 'FP32', shape: [4], ...(labels && { labels }) }],
  });
}

/** Each datatype of the protocol and ONNX's element type. */
export const ELEMENT_TYPE: Record<Datatype, number> = {
  BOOL: Type.BOOL,
  UINT8: Type.UINT8,
  UINT16: Type.UINT16,
  UINT32: Type.UINT32,
  UINT64: Type.UINT64,
  INT8: Type.INT8,
  INT16: Type.INT16,
  INT32: Type.INT32,
  INT64: Type.INT64,
  FP16: Type.FLOAT16,
  FP32: Type.FLOAT,
  FP64: Type.DOUBLE,
  BYTES: Type.STRING,
};

/** in [-1,-1] of a datatype -> out, the same. */
export function identityModel(datatype: Datatype): TensorModel {
  const elemType = ELEMENT_TYPE[datatype];
  const bytes = model({
    input: [value('in', elemType, ['N', 'N'])],
    output: [value('out', elemType, ['N', 'N'])],
    node: [node('Identity', ['in'], ['out'])],
  });
  return described(bytes, {
    inputs: [{ name: 'in', datatype, shape: [-1, -1] }],
    outputs: [{ name: 'out', datatype, shape: [-1, -1] }],
  });
}

/** root = sqrt(x), log = ln(x), FP32 [-1]: NaN and -Infinity for numbers that have none. */
export function rootModel(): TensorModel {
  const bytes = model({
    input: [value('x', Type.FLOAT, ['N'])],
    output: [value('root', Type.FLOAT, ['N']), value('log', Type.FLOAT, ['N'])],
    node: [node('Sqrt', ['x'], ['root']), node('Log', ['x'], ['log'])],
  });
  return described(bytes, {
    inputs: [{ name: 'x', datatype: 'FP32', shape: [-1] }],
    outputs: [
      { name: 'root', datatype: 'FP32', shape: [-1] },
      { name: 'log', datatype: 'FP32', shape: [-1] },
    ],
  });
}

/** sum = a + b, FP32 [-1,-1]: sizes that only the graph can compare. */
export function sumModel(): TensorModel {
  const input = ['a', 'b'];
  const bytes = model({
    input: input.map((name) => value(name, Type.FLOAT, ['N', 'M'])),
    output: [value('sum', Type.FLOAT, ['N', 'M'])],
    node: [node('Add', input, ['sum'])],
  });
  return described(bytes, {
    inputs: input.map((name) => ({ name, datatype: 'FP32', shape: [-1, -1] })),
    outputs: [{ name: 'sum', datatype: 'FP32', shape: [-1, -1] }],
  });
}

/**
 * A model of columns that are arrays: value = sum of `pixels` (TENSOR 2x2) + 100 times the number of `words` (TOKENS).
 */
export function arraysModel(): { bytes: Uint8Array; manifest: Manifest } {
  const bytes = model({
    input: [value('image', Type.FLOAT, ['N', 2, 2]), value('ids', Type.INT32, ['N', 'M'])],
    output: [value('value', Type.FLOAT, ['N'])],
    node: [
      node('Flatten', ['image'], ['flat']),
      node('ReduceSum', ['flat', 'axes'], ['light'], keepdims(0)),
      node('Cast', ['ids'], ['numbers'], to(Type.FLOAT)),
      node('Greater', ['numbers', 'padding'], ['present']),
      node('Cast', ['present'], ['ones'], to(Type.FLOAT)),
      node('ReduceSum', ['ones', 'axes'], ['length'], keepdims(0)),
      node('Mul', ['length', 'hundred'], ['heavy']),
      node('Add', ['light', 'heavy'], ['value']),
    ],
    initializer: [ints('axes', [1], [1]), floats('padding', [], [-1]), floats('hundred', [], [100])],
  });
  const manifest: Manifest = {
    ...regressionManifest(bytes),
    columns: [
      { name: 'pixels', kind: 'TENSOR', used: true, shape: [2, 2] },
      { name: 'words', kind: 'TOKENS', used: true, maxLength: 4, vocabulary: 10 },
    ],
    inputs: [
      { name: 'image', column: 'pixels', type: 'float32', shape: [2, 2] },
      { name: 'ids', column: 'words', type: 'int32', length: 4 },
    ],
  };
  return { bytes, manifest };
}
