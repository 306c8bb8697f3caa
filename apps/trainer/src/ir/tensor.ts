/** JavaScript values <-> Tensor, for the element types that graphs are built with. Knows no graph. */
import { GraphError } from './errors.ts';
import { DATA_TYPES, type DataType, type Tensor } from './types.ts';

/** What a tensor can be made from: numbers for numeric types, booleans for BOOL, strings for STRING. */
export type Values = ArrayLike<number> | readonly bigint[] | readonly boolean[] | readonly string[];

/** Typed arrays pass as they are: large weights should not be walked through element by element. */
const NUMERIC: { readonly [type in DataType]?: (values: ArrayLike<unknown>) => ArrayBufferView } = {
  FLOAT: (values) => (values instanceof Float32Array ? values : Float32Array.from(values, Number)),
  DOUBLE: (values) => (values instanceof Float64Array ? values : Float64Array.from(values, Number)),
  INT32: (values) => (values instanceof Int32Array ? values : Int32Array.from(values, Number)),
  INT64: (values) => BigInt64Array.from(values, (value) => (typeof value === 'bigint' ? value : BigInt(Number(value)))),
  UINT8: (values) => Uint8Array.from(values, Number),
  INT8: (values) => Int8Array.from(values, Number),
  BOOL: (values) => Uint8Array.from(values, (value) => (value ? 1 : 0)),
};

/** A tensor of these values in row-major order. @throws GraphError if their number does not fit the dimensions. */
export function tensorOf(name: string, type: DataType, dims: readonly number[], values: Values): Tensor {
  const elements = dims.reduce((product, dim) => product * dim, 1);
  if (values.length !== elements)
    throw new GraphError(
      `tensor "${name}": ${type} [${dims}] needs ${elements} values; got ${values.length}. Check the dimensions`,
    );
  if (type === 'STRING') return { name, type, dims, data: Array.from(values, String) };
  const convert = NUMERIC[type];
  if (!convert) throw new GraphError(`tensor "${name}": ${type} cannot be made from JavaScript values`);
  const typed = convert(values);
  // Typed arrays have the machine's byte order; every machine that runs Node is little-endian, as ONNX wants it.
  return { name, type, dims, data: new Uint8Array(typed.buffer, typed.byteOffset, typed.byteLength).slice() };
}

/** The numbers of a FLOAT, DOUBLE, INT32, INT64, UINT8, INT8 or BOOL tensor, in row-major order. */
export function numbersOf(tensor: Tensor): number[] {
  const { type, data } = tensor;
  if (!(data instanceof Uint8Array)) throw new GraphError(`tensor "${tensor.name}" holds ${type}, not numbers`);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const width = DATA_TYPES[type].bits / 8;
  const read: { readonly [type in DataType]?: (at: number) => number } = {
    FLOAT: (at) => view.getFloat32(at, true),
    DOUBLE: (at) => view.getFloat64(at, true),
    INT32: (at) => view.getInt32(at, true),
    INT64: (at) => Number(view.getBigInt64(at, true)),
    UINT8: (at) => view.getUint8(at),
    INT8: (at) => view.getInt8(at),
    BOOL: (at) => view.getUint8(at),
  };
  const one = read[type];
  if (!one) throw new GraphError(`tensor "${tensor.name}" holds ${type}, which has no JavaScript number`);
  return Array.from({ length: data.byteLength / width }, (_, index) => one(index * width));
}
