/**
 * "Tensor Data" of the Open Inference Protocol: JSON arrays, nested or flat and row-major, to tensors and back. Knows
 * no model. FP16 has no JSON form: the protocol calls it problematic, so it travels as binary only.
 */
import type { Datatype } from '../contract.ts';
import type { Tensor } from '../engine/index.ts';
import { elementCount } from '../engine/tensor.ts';
import { refuse } from '../errors.ts';
import { quote } from '../predict/errors.ts';

type Dims = readonly number[];
/** The element, or undefined when the value is none. */
type Read<V> = (value: unknown) => V | undefined;

/** Reads data of a datatype and a shape. `where` begins error messages. @throws HttpError 400 INVALID_TENSOR. */
export function tensorFromJson(datatype: Datatype, dims: Dims, data: readonly unknown[], where: string): Tensor {
  const flat = flatten(data, dims, where);
  return READ[datatype](dims, flat, where);
}

/** Numbers of any element type that is not exact as JSON are refused. @throws HttpError 422 NOT_IN_JSON. */
export function jsonOfTensor(tensor: Tensor, where: string): string {
  const join = (texts: Iterable<string>) => `[${[...texts].join(',')}]`;
  switch (tensor.type) {
    case 'string':
      return JSON.stringify(tensor.data);
    case 'bool':
      return join(Array.from(tensor.data, (value) => String(value !== 0)));
    case 'float16':
      throw refuse(422, 'NOT_IN_JSON', `${where} is FP16, which has no JSON form: ask for it with "binary_data": true`);
    case 'float32':
      return join(Array.from(finite(tensor.data, where), floatText));
    case 'float64':
      return join(Array.from(finite(tensor.data, where), doubleText));
    default:
      return `[${tensor.data.join(',')}]`;
  }
}

/** The shortest of 7, 8 or 9 digits that reads back as the same float32: 1.1, not 1.100000023841858. */
export function floatText(value: number): string {
  if (value === 0) return doubleText(value); // toPrecision forgets its sign
  for (let digits = 7; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return doubleText(short);
  }
  return doubleText(Number(value.toPrecision(9)));
}

/** String() forgets the sign of zero. */
function doubleText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

function finite<A extends Float32Array | Float64Array>(data: A, where: string): A {
  const at = data.findIndex((value) => !Number.isFinite(value));
  if (at === -1) return data;
  const cure = 'JSON cannot say that: ask for it with "binary_data": true';
  throw refuse(422, 'NOT_IN_JSON', `${where} holds ${data[at]} at [${at}]; ${cure}`);
}

/** Natural multi-dimensional arrays or one flat list. */
function flatten(data: readonly unknown[], dims: Dims, where: string): readonly unknown[] {
  const count = elementCount(dims);
  const nested = dims.length > 1 && Array.isArray(data[0]);
  const flat: unknown[] = [];
  if (nested) collect(data, dims, flat, `${where}: data`);
  const elements = nested ? flat : data;
  if (elements.length !== count)
    throw invalid(where, `expected ${count} elements for the shape [${dims}], got ${elements.length}`);
  return elements;
}

function collect(part: readonly unknown[], [size = 0, ...inner]: Dims, into: unknown[], path: string): void {
  if (part.length !== size)
    throw invalid(path, `expected ${size} ${inner.length ? 'arrays' : 'elements'}, got ${part.length}`);
  part.forEach((element, i) => {
    if (inner.length === 0) into.push(element);
    else if (Array.isArray(element)) collect(element, inner, into, `${path}[${i}]`);
    else throw invalid(`${path}[${i}]`, `expected an array, got ${quote(element)}`);
  });
}

function fill<V, A extends { [index: number]: V }>(
  to: A,
  from: readonly unknown[],
  read: Read<V>,
  expected: string,
  where: string,
): A {
  for (let i = 0; i < from.length; i++) {
    const element = read(from[i]);
    if (element === undefined) throw invalid(where, `expected ${expected}, got ${quote(from[i])} at [${i}]`);
    to[i] = element;
  }
  return to;
}

const invalid = (where: string, message: string) => refuse(400, 'INVALID_TENSOR', `${where}: ${message}`);

function integer(min: number, max: number): [Read<number>, string] {
  const read = (value: unknown) =>
    typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max ? value : undefined;
  return [read, `an integer from ${min} to ${max}`];
}

/** Integers beyond 2^53 come as bigint (exact-json.ts); a double of that size has lost digits and is refused. */
function longInteger(min: bigint, max: bigint): [Read<bigint>, string] {
  const read = (value: unknown) => {
    const exact = typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
    return typeof exact === 'bigint' && exact >= min && exact <= max ? exact : undefined;
  };
  return [read, `an integer from ${min} to ${max}`];
}

/** null is what JSON.stringify makes of NaN: a missing number. 1e999 is no number of the type. */
function float(round: (value: number) => number): [Read<number>, string] {
  const read = (value: unknown) => {
    if (value === null) return Number.NaN;
    const number = typeof value === 'bigint' ? Number(value) : value;
    return typeof number === 'number' && Number.isFinite(round(number)) ? number : undefined;
  };
  return [read, 'a number of the datatype, or null for NaN'];
}

const FLAGS = new Map<unknown, number>([
  [true, 1],
  [false, 0],
  [1, 1],
  [0, 0],
]);
const flag: [Read<number>, string] = [(value) => FLAGS.get(value), 'true or false'];
const text: [Read<string>, string] = [(value) => (typeof value === 'string' ? value : undefined), 'a string'];

const READ: Record<Datatype, (dims: Dims, flat: readonly unknown[], where: string) => Tensor> = {
  BOOL: (dims, v, w) => ({ type: 'bool', dims, data: fill(new Uint8Array(v.length), v, ...flag, w) }),
  UINT8: (dims, v, w) => ({ type: 'uint8', dims, data: fill(new Uint8Array(v.length), v, ...integer(0, 255), w) }),
  UINT16: (dims, v, w) => ({
    type: 'uint16',
    dims,
    data: fill(new Uint16Array(v.length), v, ...integer(0, 65_535), w),
  }),
  UINT32: (dims, v, w) => ({
    type: 'uint32',
    dims,
    data: fill(new Uint32Array(v.length), v, ...integer(0, 2 ** 32 - 1), w),
  }),
  UINT64: (dims, v, w) => ({
    type: 'uint64',
    dims,
    data: fill(new BigUint64Array(v.length), v, ...longInteger(0n, 2n ** 64n - 1n), w),
  }),
  INT8: (dims, v, w) => ({ type: 'int8', dims, data: fill(new Int8Array(v.length), v, ...integer(-128, 127), w) }),
  INT16: (dims, v, w) => ({
    type: 'int16',
    dims,
    data: fill(new Int16Array(v.length), v, ...integer(-32_768, 32_767), w),
  }),
  INT32: (dims, v, w) => ({
    type: 'int32',
    dims,
    data: fill(new Int32Array(v.length), v, ...integer(-(2 ** 31), 2 ** 31 - 1), w),
  }),
  INT64: (dims, v, w) => ({
    type: 'int64',
    dims,
    data: fill(new BigInt64Array(v.length), v, ...longInteger(-(2n ** 63n), 2n ** 63n - 1n), w),
  }),
  FP16: (_dims, _v, w) => {
    throw invalid(w, 'FP16 has no JSON form: send it as binary data (binary_data_size)');
  },
  FP32: (dims, v, w) => ({
    type: 'float32',
    dims,
    data: fill(new Float32Array(v.length), v, ...float(Math.fround), w),
  }),
  FP64: (dims, v, w) => ({
    type: 'float64',
    dims,
    data: fill(new Float64Array(v.length), v, ...float(Number), w),
  }),
  BYTES: (dims, v, w) => ({ type: 'string', dims, data: fill(new Array<string>(v.length), v, ...text, w) }),
};
