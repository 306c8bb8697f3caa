/**
 * TensorProto -> Tensor: raw_data or one of the typed fields becomes raw bytes whose length fits the shape. The message
 * is read twice: once for type and shape, then the data straight into its place, so that a file costs its own size.
 */
import { type Noted, readNote } from './decode-notes.ts';
import { SPARSE, TENSOR } from './fields.ts';
import type { Reader } from './protobuf-reader.ts';
import { DATA_TYPES, type DataType, dataTypeOf, type SparseTensor, type Tensor } from './types.ts';

/** Which field holds a type's values when raw_data does not, and how many bytes each becomes: onnx.proto3's rule. */
interface Typed {
  readonly field: number;
  readonly name: string;
  readonly coding: 'FIXED' | 'VARINT';
  readonly width: 1 | 2 | 4 | 8;
}

const FLOATS: Typed = { field: TENSOR.floats, name: 'float_data', coding: 'FIXED', width: 4 };
const DOUBLES: Typed = { field: TENSOR.doubles, name: 'double_data', coding: 'FIXED', width: 8 };
const int32s = (width: 1 | 2 | 4): Typed => ({ field: TENSOR.int32s, name: 'int32_data', coding: 'VARINT', width });
const uint64s = (width: 4 | 8): Typed => ({ field: TENSOR.uint64s, name: 'uint64_data', coding: 'VARINT', width });

const TYPED: Partial<Record<DataType, Typed>> = {
  FLOAT: FLOATS,
  COMPLEX64: FLOATS,
  DOUBLE: DOUBLES,
  COMPLEX128: DOUBLES,
  INT64: { field: TENSOR.int64s, name: 'int64_data', coding: 'VARINT', width: 8 },
  UINT64: uint64s(8),
  UINT32: uint64s(4),
  INT32: int32s(4),
  INT16: int32s(2),
  UINT16: int32s(2),
  FLOAT16: int32s(2),
  BFLOAT16: int32s(2),
};
/** Bytes, booleans, float8, and small numbers several to a byte. */
const BYTES = int32s(1);

/** An empty tensor takes some 650 bytes, most of them for its array. */
const TENSOR_COST = 3;

/** Reads one tensor. @throws OnnxError for external data, unknown types, or data that does not fit the shape. */
export function readTensor(r: Reader): Tensor {
  r.charge(TENSOR_COST);
  const values = r.again();
  let name = '';
  let number = 0;
  let raw: Uint8Array | null = null;
  const dims: number[] = [];
  const notes: Noted = {};
  for (let field = r.field(); field; field = r.field()) {
    if (field === TENSOR.dims) readDims(r, dims);
    else if (field === TENSOR.type) number = r.size('data_type');
    else if (field === TENSOR.name) name = r.string('name');
    else if (field === TENSOR.raw) raw = r.bytes('raw_data');
    else if (field === TENSOR.segment) r.fail('segmented tensors are not supported');
    else if (field === TENSOR.external) r.fail('external data is refused: a model must be one file');
    else if (field === TENSOR.location && r.size('data_location') !== 0) r.fail('external data is refused');
    else if (field !== TENSOR.location && !readNote(r, field, TENSOR, notes)) r.skip();
  }
  const type = dataTypeOf(number) ?? r.fail(`data_type ${number} is unknown`);
  const elements = dims.includes(0) ? 0 : dims.reduce((product, dim) => product * dim, 1);
  if (type === 'STRING') return { name, type, dims, data: readStrings(values, elements), ...notes };
  const bytes = Math.ceil((elements * DATA_TYPES[type].bits) / 8);
  if (raw && raw.byteLength !== bytes)
    r.fail(`the shape needs ${bytes} bytes of ${type}, raw_data has ${raw.byteLength}`);
  // A copy: the source is a view into the whole file, which would otherwise stay in memory (and be writable) behind it.
  const data = raw ? new Uint8Array(raw) : readTyped(values, type, bytes);
  return { name, type, dims, data, ...notes };
}

function readDims(r: Reader, into: number[]): void {
  r.varints('dims', (low, high) => {
    if (high < 0 || high >= 0x200000) r.fail(`a dimension of ${(BigInt(high) << 32n) | BigInt(low >>> 0)}`);
    // Numpy stops at 64 axes; the real limit is that a shape must not cost more than the data it describes.
    if (into.length === 64) r.fail('more than 64 dimensions');
    into.push(high * 0x100000000 + (low >>> 0));
  });
}

function readStrings(r: Reader, elements: number): string[] {
  const strings: string[] = [];
  for (let field = r.field(); field; field = r.field()) {
    if (field === TENSOR.strings) strings.push(r.string('string_data'));
    else r.skip();
  }
  if (strings.length !== elements) r.fail(`the shape has ${elements} elements, string_data ${strings.length}`);
  return strings;
}

function readTyped(r: Reader, type: DataType, bytes: number): Uint8Array {
  const { field: source, name, coding, width } = TYPED[type] ?? BYTES;
  // A varint takes at least one byte of the file for `width` bytes here: a shape that promises more is not believed.
  const most = coding === 'FIXED' ? r.length : r.length * width;
  if (bytes > most) r.fail(`the shape needs ${bytes} bytes of ${type}, ${name} can have at most ${most}`);
  const data = new Uint8Array(bytes);
  const view = new DataView(data.buffer);
  let at = 0;
  const room = () => {
    if (at + width > bytes) r.fail(`the shape needs ${bytes} bytes of ${type}, ${name} has more`);
  };
  const put = (low: number, high: number) => {
    room();
    if (width === 1) data[at] = low;
    else if (width === 2) view.setInt16(at, low, true);
    else view.setInt32(at, low, true);
    if (width === 8) view.setInt32(at + 4, high, true);
    at += width;
  };
  for (let field = r.field(); field; field = r.field()) {
    if (field !== source) r.skip();
    else if (coding === 'VARINT') r.varints(name, put);
    else {
      const part = r.fixed(name, width === 8 ? 8 : 4);
      if (at + part.byteLength > bytes) r.fail(`the shape needs ${bytes} bytes of ${type}, ${name} has more`);
      data.set(part, at);
      at += part.byteLength;
    }
  }
  if (at !== bytes) r.fail(`the shape needs ${bytes} bytes of ${type}, ${name} has ${at}`);
  return data;
}

/** Reads a tensor of which only some elements are listed. */
export function readSparse(r: Reader): SparseTensor {
  const dims: number[] = [];
  let values: Tensor | undefined;
  let indices: Tensor | undefined;
  for (let field = r.field(); field; field = r.field()) {
    if (field === SPARSE.values) values = readTensor(r.message('values'));
    else if (field === SPARSE.indices) indices = readTensor(r.message('indices'));
    else if (field === SPARSE.dims) readDims(r, dims);
    else r.skip();
  }
  if (!values || !indices) return r.fail('a sparse tensor needs values and indices');
  if (indices.type !== 'INT64') r.fail(`the indices of a sparse tensor must be INT64; they are ${indices.type}`);
  return { dims, values, indices };
}
