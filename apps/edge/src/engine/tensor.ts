/** Tensors as they go in and out of a session: a type, dimensions, and a flat array. Knows no heap. */

/** The array of each element type. bool is a byte each, float16 its 16 bits. */
export interface TensorData {
  float32: Float32Array;
  uint8: Uint8Array;
  int8: Int8Array;
  uint16: Uint16Array;
  int16: Int16Array;
  int32: Int32Array;
  int64: BigInt64Array;
  string: string[];
  bool: Uint8Array;
  float64: Float64Array;
  uint32: Uint32Array;
  uint64: BigUint64Array;
  float16: Uint16Array;
}

export type TensorType = keyof TensorData;
type Tensors = { [T in TensorType]: { type: T; dims: readonly number[]; data: TensorData[T] } };
/** One dense tensor, row-major. */
export type Tensor = Tensors[TensorType];
type NumericTensor = Exclude<Tensor, { type: 'string' }>;

/** Tensors by the names of a graph's inputs. */
export type Feeds = Record<string, Tensor>;
/** Tensors by the names of a graph's outputs. */
export type Outputs = Record<string, Tensor>;

/** ONNX's TensorProto.DataType. */
export const TYPE_CODE: Record<TensorType, number> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
};

const NAMES = new Map(Object.entries(TYPE_CODE).map(([name, code]) => [code, name]));

/** The name of an element type; "type 16" and the like for those that this binding does not carry. */
export function typeName(code: number): string {
  return NAMES.get(code) ?? `type ${code}`;
}

type Dims = readonly number[];
const NUMERIC: Record<number, { width: number; of: (dims: Dims, bytes: ArrayBuffer) => NumericTensor }> = {
  1: { width: 4, of: (dims, bytes) => ({ type: 'float32', dims, data: new Float32Array(bytes) }) },
  2: { width: 1, of: (dims, bytes) => ({ type: 'uint8', dims, data: new Uint8Array(bytes) }) },
  3: { width: 1, of: (dims, bytes) => ({ type: 'int8', dims, data: new Int8Array(bytes) }) },
  4: { width: 2, of: (dims, bytes) => ({ type: 'uint16', dims, data: new Uint16Array(bytes) }) },
  5: { width: 2, of: (dims, bytes) => ({ type: 'int16', dims, data: new Int16Array(bytes) }) },
  6: { width: 4, of: (dims, bytes) => ({ type: 'int32', dims, data: new Int32Array(bytes) }) },
  7: { width: 8, of: (dims, bytes) => ({ type: 'int64', dims, data: new BigInt64Array(bytes) }) },
  9: { width: 1, of: (dims, bytes) => ({ type: 'bool', dims, data: new Uint8Array(bytes) }) },
  10: { width: 2, of: (dims, bytes) => ({ type: 'float16', dims, data: new Uint16Array(bytes) }) },
  11: { width: 8, of: (dims, bytes) => ({ type: 'float64', dims, data: new Float64Array(bytes) }) },
  12: { width: 4, of: (dims, bytes) => ({ type: 'uint32', dims, data: new Uint32Array(bytes) }) },
  13: { width: 8, of: (dims, bytes) => ({ type: 'uint64', dims, data: new BigUint64Array(bytes) }) },
};

/** Copies a numeric tensor out of the heap; undefined when the element type is not numeric or not carried. */
export function copyTensor(heap: Uint8Array, code: number, at: number, dims: Dims): NumericTensor | undefined {
  const kind = NUMERIC[code];
  if (!kind) return undefined;
  const bytes = new Uint8Array(elementCount(dims) * kind.width);
  bytes.set(heap.subarray(at, at + bytes.byteLength));
  return kind.of(dims, bytes.buffer);
}

/** How many elements a tensor of these dimensions has; a scalar has one. */
export function elementCount(dims: Dims): number {
  let count = 1;
  for (let d = 0; d < dims.length; d++) count *= dims[d] ?? 1; // once for each of a hundred columns
  return count;
}
