/** Small ONNX models for the edge's tests, written with onnx-proto: an encoder that is not the project's own. */
import { createRequire } from 'node:module';
import type { onnx as Onnx } from 'onnx-proto';

// A CommonJS module whose named exports Node does not see.
export const { onnx }: typeof import('onnx-proto') = createRequire(import.meta.url)('onnx-proto');

const { FLOAT, DOUBLE, STRING, INT64 } = onnx.TensorProto.DataType;
const { AttributeType } = onnx.AttributeProto;
const utf8 = (text: string) => new TextEncoder().encode(text);

type Dim = number | 'N' | 'M';
export const value = (name: string, elemType: number, dims: Dim[]): Onnx.IValueInfoProto => ({
  name,
  type: {
    tensorType: {
      elemType,
      shape: { dim: dims.map((d) => (typeof d === 'string' ? { dimParam: d } : { dimValue: d })) },
    },
  },
});
export const floats = (name: string, dims: number[], data: Iterable<number>): Onnx.ITensorProto => ({
  name,
  dataType: FLOAT,
  dims,
  floatData: [...data],
});
const rawFloats = (name: string, dims: number[], data: Float32Array): Onnx.ITensorProto => ({
  name,
  dataType: FLOAT,
  dims,
  rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
});
export const node = (opType: string, input: string[], output: string[], attribute: Onnx.IAttributeProto[] = []) => ({
  opType,
  input,
  output,
  attribute,
  domain: opType === 'LabelEncoder' ? 'ai.onnx.ml' : '',
});

export function model(graph: Onnx.IGraphProto): Uint8Array {
  const proto = onnx.ModelProto.create({
    irVersion: 8,
    opsetImport: [
      { domain: '', version: 17 },
      { domain: 'ai.onnx.ml', version: 3 },
    ],
    graph: { name: 'test', ...graph },
  });
  return onnx.ModelProto.encode(proto).finish();
}

/**
 * age (double, NaN = 30) and sex (string) -> features [N,2]: (age - 30) / 10 and 1 | -1 | 0 (missing) | 0.25 (unknown).
 */
const FEATURES = {
  input: [value('age', DOUBLE, ['N', 1]), value('sex', STRING, ['N', 1])],
  node: [
    node('IsNaN', ['age'], ['absent']),
    node('Where', ['absent', 'mean', 'age'], ['filled']),
    node('Sub', ['filled', 'mean'], ['centred']),
    node('Div', ['centred', 'std'], ['scaled']),
    node('Cast', ['scaled'], ['age_'], [{ name: 'to', type: AttributeType.INT, i: FLOAT }]),
    node(
      'LabelEncoder',
      ['sex'],
      ['sex_'],
      [
        { name: 'keys_strings', type: AttributeType.STRINGS, strings: ['male', 'female', ''].map(utf8) },
        { name: 'values_floats', type: AttributeType.FLOATS, floats: [1, -1, 0] },
        { name: 'default_float', type: AttributeType.FLOAT, f: 0.25 },
      ],
    ),
    node('Concat', ['age_', 'sex_'], ['x'], [{ name: 'axis', type: AttributeType.INT, i: 1 }]),
  ],
  initializer: [
    { name: 'mean', dataType: DOUBLE, dims: [], doubleData: [30] },
    { name: 'std', dataType: DOUBLE, dims: [], doubleData: [10] },
  ],
};

/**
 * Classes [no, yes]: p(yes) = sigmoid(0.5 age' + 2 sex' + bias). Different `bias`, different bytes; `padding` makes
 * it larger by that many floats that nothing reads.
 */
export function binaryModel(bias = 0, padding = 0): Uint8Array {
  return model({
    input: FEATURES.input,
    output: [value('probabilities', FLOAT, ['N', 2])],
    node: [
      ...FEATURES.node,
      node('Gemm', ['x', 'w', 'b'], ['z']),
      node('Sigmoid', ['z'], ['p']),
      node('Sub', ['one', 'p'], ['q']),
      node('Concat', ['q', 'p'], ['probabilities'], [{ name: 'axis', type: AttributeType.INT, i: 1 }]),
    ],
    initializer: [
      ...FEATURES.initializer,
      floats('w', [2, 1], [0.5, 2]),
      floats('b', [1], [bias]),
      floats('one', [], [1]),
      ...(padding > 0 ? [rawFloats('padding', [padding], new Float32Array(padding))] : []),
    ],
  });
}

/** Classes [no, yes] like `binaryModel`, always even; each row costs `rounds` million multiplications. */
export function slowModel(rounds: number): Uint8Array {
  const size = 1024;
  const chain = Array.from({ length: rounds }, (_, i) => node('MatMul', [`h${i}`, 'w'], [`h${i + 1}`]));
  return model({
    input: FEATURES.input,
    output: [value('probabilities', FLOAT, ['N', 2])],
    node: [
      ...FEATURES.node,
      node('MatMul', ['x', 'wide'], ['h0']),
      ...chain,
      node('MatMul', [`h${rounds}`, 'narrow'], ['z']),
      node('Softmax', ['z'], ['probabilities']),
    ],
    initializer: [
      ...FEATURES.initializer,
      rawFloats('wide', [2, size], new Float32Array(2 * size).fill(1e-3)),
      rawFloats('w', [size, size], new Float32Array(size * size).fill(1e-3)),
      rawFloats('narrow', [size, 2], new Float32Array(2 * size)),
    ],
  });
}

/** Classes [no, yes], always even; each row makes `width` numbers on its way. */
export function wideModel(width: number): Uint8Array {
  return model({
    input: FEATURES.input,
    output: [value('probabilities', FLOAT, ['N', 2])],
    node: [
      ...FEATURES.node,
      node('MatMul', ['x', 'wide'], ['h']),
      node('MatMul', ['h', 'narrow'], ['z']),
      node('Softmax', ['z'], ['probabilities']),
    ],
    initializer: [
      ...FEATURES.initializer,
      rawFloats('wide', [2, width], new Float32Array(2 * width).fill(1e-3)),
      rawFloats('narrow', [width, 2], new Float32Array(2 * width)),
    ],
  });
}

/** value [N] = 3 age' - sex' + 7. */
export function regressionModel(): Uint8Array {
  return model({
    input: FEATURES.input,
    output: [value('value', FLOAT, ['N'])],
    node: [...FEATURES.node, node('Gemm', ['x', 'w', 'b'], ['z']), node('Squeeze', ['z', 'axes'], ['value'])],
    initializer: [
      ...FEATURES.initializer,
      floats('w', [2, 1], [3, -1]),
      floats('b', [1], [7]),
      { name: 'axes', dataType: INT64, dims: [1], int64Data: [1] },
    ],
  });
}

/** Strings in, the same strings out: exercises string outputs. */
export function echoModel(): Uint8Array {
  return model({
    input: [value('text', STRING, ['N', 1])],
    output: [value('same', STRING, ['N', 1])],
    node: [node('Identity', ['text'], ['same'])],
  });
}

/** x [N] -> "more" 2x [N] and "0": -x [N], or the indices of what is not 0 [1,M]; and x itself, if so wished. */
export function doubleModel(opType: 'Neg' | 'NonZero' = 'Neg', passing = false): Uint8Array {
  return model({
    input: [value('x', FLOAT, ['N'])],
    output: [
      value('more', FLOAT, ['N']),
      opType === 'Neg' ? value('0', FLOAT, ['N']) : value('0', INT64, [1, 'M']),
      ...(passing ? [value('x', FLOAT, ['N'])] : []),
    ],
    node: [node('Add', ['x', 'x'], ['more']), node(opType, ['x'], ['0'])],
  });
}

/** y [N,size] = x [N,size] W: about 4 size² bytes. */
export function denseModel(size: number, seed = 1): Uint8Array {
  let state = seed;
  const weights = Float32Array.from({ length: size * size }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return state / 2 ** 31 / size;
  });
  return model({
    input: [value('x', FLOAT, ['N', size])],
    output: [value('y', FLOAT, ['N', size])],
    node: [node('MatMul', ['x', 'w'], ['y'])],
    initializer: [rawFloats('w', [size, size], weights)],
  });
}
