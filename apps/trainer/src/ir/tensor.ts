/** JavaScript values <-> Tensor. Knows no graph. Of all element types only complex numbers have no number here. */
import { GraphError } from './errors.ts';
import { decodeSmall, encodeSmall, SMALL_FLOATS } from './small-floats.ts';
import { DATA_TYPES, type DataType, type Tensor } from './types.ts';

/** What a tensor can be made from: numbers for numeric types, booleans for BOOL, strings for STRING. */
export type Values = ArrayLike<number> | readonly bigint[] | readonly boolean[] | readonly string[];

type Small = keyof typeof SMALL_FLOATS;

/** Typed arrays pass as they are: large weights should not be walked through element by element. */
const NUMERIC: { readonly [type in DataType]?: (values: ArrayLike<unknown>) => ArrayBufferView } = {
  FLOAT: (values) => (values instanceof Float32Array ? values : Float32Array.from(values, Number)),
  DOUBLE: (values) => (values instanceof Float64Array ? values : Float64Array.from(values, Number)),
  INT32: (values) => (values instanceof Int32Array ? values : Int32Array.from(values, Number)),
  INT64: (values) => BigInt64Array.from(values, bigint),
  UINT64: (values) => BigUint64Array.from(values, bigint),
  UINT32: (values) => Uint32Array.from(values, Number),
  UINT16: (values) => Uint16Array.from(values, Number),
  INT16: (values) => Int16Array.from(values, Number),
  UINT8: (values) => Uint8Array.from(values, Number),
  INT8: (values) => Int8Array.from(values, Number),
  BOOL: (values) => Uint8Array.from(values, (value) => (value ? 1 : 0)),
  FLOAT16: (values) => Uint16Array.from(values, small('FLOAT16')),
  BFLOAT16: (values) => Uint16Array.from(values, small('BFLOAT16')),
  FLOAT8E4M3FN: (values) => Uint8Array.from(values, small('FLOAT8E4M3FN')),
  FLOAT8E4M3FNUZ: (values) => Uint8Array.from(values, small('FLOAT8E4M3FNUZ')),
  FLOAT8E5M2: (values) => Uint8Array.from(values, small('FLOAT8E5M2')),
  FLOAT8E5M2FNUZ: (values) => Uint8Array.from(values, small('FLOAT8E5M2FNUZ')),
  FLOAT4E2M1: (values) => packBits(4, Array.from(values, small('FLOAT4E2M1'))),
  UINT4: (values) => packBits(4, Array.from(values, within('UINT4', 0, 15))),
  INT4: (values) => packBits(4, Array.from(values, within('INT4', -8, 7))),
  UINT2: (values) => packBits(2, Array.from(values, within('UINT2', 0, 3))),
  INT2: (values) => packBits(2, Array.from(values, within('INT2', -2, 1))),
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

/** One element of a tensor's bytes as a number; int64s beyond 2^53 are rounded. */
const READ: { readonly [type in DataType]?: (view: DataView, index: number) => number } = {
  FLOAT: (view, index) => view.getFloat32(4 * index, true),
  DOUBLE: (view, index) => view.getFloat64(8 * index, true),
  INT32: (view, index) => view.getInt32(4 * index, true),
  UINT32: (view, index) => view.getUint32(4 * index, true),
  INT64: (view, index) => Number(view.getBigInt64(8 * index, true)),
  UINT64: (view, index) => Number(view.getBigUint64(8 * index, true)),
  INT16: (view, index) => view.getInt16(2 * index, true),
  UINT16: (view, index) => view.getUint16(2 * index, true),
  INT8: (view, index) => view.getInt8(index),
  UINT8: (view, index) => view.getUint8(index),
  BOOL: (view, index) => view.getUint8(index),
  FLOAT16: (view, index) => decodeSmall(SMALL_FLOATS.FLOAT16, view.getUint16(2 * index, true)),
  BFLOAT16: (view, index) => decodeSmall(SMALL_FLOATS.BFLOAT16, view.getUint16(2 * index, true)),
  FLOAT8E4M3FN: (view, index) => decodeSmall(SMALL_FLOATS.FLOAT8E4M3FN, view.getUint8(index)),
  FLOAT8E4M3FNUZ: (view, index) => decodeSmall(SMALL_FLOATS.FLOAT8E4M3FNUZ, view.getUint8(index)),
  FLOAT8E5M2: (view, index) => decodeSmall(SMALL_FLOATS.FLOAT8E5M2, view.getUint8(index)),
  FLOAT8E5M2FNUZ: (view, index) => decodeSmall(SMALL_FLOATS.FLOAT8E5M2FNUZ, view.getUint8(index)),
  // A scale: nothing but an exponent.
  FLOAT8E8M0: (view, index) => (view.getUint8(index) === 255 ? Number.NaN : 2 ** (view.getUint8(index) - 127)),
  FLOAT4E2M1: (view, index) => decodeSmall(SMALL_FLOATS.FLOAT4E2M1, bitsAt(view, 4, index)),
  UINT4: (view, index) => bitsAt(view, 4, index),
  INT4: (view, index) => (bitsAt(view, 4, index) << 28) >> 28,
  UINT2: (view, index) => bitsAt(view, 2, index),
  INT2: (view, index) => (bitsAt(view, 2, index) << 30) >> 30,
};

/** The numbers of a numeric or BOOL tensor, in row-major order. */
export function numbersOf(tensor: Tensor): number[] {
  const { type, data, dims } = tensor;
  if (!(data instanceof Uint8Array)) throw new GraphError(`tensor "${tensor.name}" holds ${type}, not numbers`);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const one = READ[type];
  if (!one) throw new GraphError(`tensor "${tensor.name}" holds ${type}, which has no JavaScript number`);
  // Several small elements share a byte, whose end may be padding; for all others the bytes say how many there are.
  const { bits } = DATA_TYPES[type];
  const length = bits < 8 ? dims.reduce((product, dim) => product * dim, 1) : (data.byteLength * 8) / bits;
  return Array.from({ length }, (_, index) => one(view, index));
}

function bigint(value: unknown): bigint {
  return typeof value === 'bigint' ? value : BigInt(Number(value));
}

function small(type: Small): (value: unknown) => number {
  return (value) => encodeSmall(SMALL_FLOATS[type], Number(value));
}

/** Integers of few bits do not wrap around unnoticed. */
function within(type: DataType, low: number, high: number): (value: unknown) => number {
  return (value) => {
    const number = Number(value);
    if (Number.isInteger(number) && number >= low && number <= high) return number;
    throw new GraphError(`${type} holds integers from ${low} to ${high}; got ${number}`);
  };
}

/** The first element is in the lowest bits of the first byte. */
function packBits(bits: 2 | 4, values: readonly number[]): Uint8Array {
  const perByte = 8 / bits;
  const packed = new Uint8Array(Math.ceil(values.length / perByte));
  values.forEach((value, index) => {
    const at = Math.floor(index / perByte);
    packed[at] = (packed[at] ?? 0) | ((value & (2 ** bits - 1)) << (bits * (index % perByte)));
  });
  return packed;
}

function bitsAt(view: DataView, bits: 2 | 4, index: number): number {
  const perByte = 8 / bits;
  return (view.getUint8(Math.floor(index / perByte)) >>> (bits * (index % perByte))) & (2 ** bits - 1);
}
