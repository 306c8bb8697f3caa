/** TensorProto -> Tensor: raw_data or one of the typed fields becomes raw bytes whose length fits the shape. */
import { TENSOR } from './fields.ts';
import type { Reader } from './protobuf.ts';
import { DATA_TYPES, type DataType, dataTypeOf, type Tensor } from './types.ts';

interface Fields {
  raw: Uint8Array | null;
  floats: number[];
  int32s: bigint[];
  int64s: bigint[];
  doubles: number[];
  uint64s: bigint[];
  strings: string[];
}

/**
 * Reads one tensor. @throws OnnxError for external data, unknown element types, or data that does not fit the shape.
 */
export function readTensor(r: Reader): Tensor {
  const fields: Fields = { raw: null, floats: [], int32s: [], int64s: [], doubles: [], uint64s: [], strings: [] };
  let name = '';
  let number = 0;
  const dims: bigint[] = [];
  for (let field = r.field(); field; field = r.field()) {
    if (field === TENSOR.dims) r.ints('dims', dims);
    else if (field === TENSOR.type) number = r.size('data_type');
    else if (field === TENSOR.name) name = r.string('name');
    else if (field === TENSOR.raw) fields.raw = r.bytes('raw_data');
    else if (field === TENSOR.floats) r.floats('float_data', fields.floats);
    else if (field === TENSOR.int32s) r.ints('int32_data', fields.int32s);
    else if (field === TENSOR.int64s) r.ints('int64_data', fields.int64s);
    else if (field === TENSOR.doubles) r.doubles('double_data', fields.doubles);
    else if (field === TENSOR.uint64s) r.ints('uint64_data', fields.uint64s);
    else if (field === TENSOR.strings) fields.strings.push(r.string('string_data'));
    else if (field === TENSOR.segment) r.fail('segmented tensors are not supported');
    else if (field === TENSOR.external) r.fail('external data is refused: a model must be one file');
    else if (field === TENSOR.location && r.size('data_location') !== 0) r.fail('external data is refused');
    else if (field !== TENSOR.location) r.skip();
  }
  const type = dataTypeOf(number) ?? r.fail(`data_type ${number} is unknown`);
  const shape = dims.map((dim) => {
    if (dim < 0n || dim > BigInt(Number.MAX_SAFE_INTEGER)) r.fail(`a dimension of ${dim}`);
    return Number(dim);
  });
  const elements = shape.reduce((product, dim) => product * dim, 1);
  return { name, type, dims: shape, data: readData(r, type, elements, fields) };
}

function readData(r: Reader, type: DataType, elements: number, fields: Fields): Uint8Array | string[] {
  if (type === 'STRING') {
    if (fields.strings.length !== elements)
      r.fail(`the shape has ${elements} elements, string_data ${fields.strings.length}`);
    return fields.strings;
  }
  const bytes = Math.ceil((elements * DATA_TYPES[type].bits) / 8);
  // A copy: the source is a view into the whole file, which would otherwise stay in memory (and be writable) behind it.
  const data = fields.raw ? new Uint8Array(fields.raw) : packTyped(type, fields);
  if (data.byteLength !== bytes) r.fail(`the shape needs ${bytes} bytes of ${type}, the data has ${data.byteLength}`);
  return data;
}

/** The typed fields as raw little-endian bytes; which field holds which type is onnx.proto3's rule. */
function packTyped(type: DataType, fields: Fields): Uint8Array {
  switch (type) {
    case 'FLOAT':
    case 'COMPLEX64':
      return pack(fields.floats, 4, (view, at, value) => view.setFloat32(at, value, true));
    case 'DOUBLE':
    case 'COMPLEX128':
      return pack(fields.doubles, 8, (view, at, value) => view.setFloat64(at, value, true));
    case 'INT64':
      return pack(fields.int64s, 8, (view, at, value) => view.setBigInt64(at, value, true));
    case 'UINT64':
      return pack(fields.uint64s, 8, (view, at, value) => view.setBigInt64(at, value, true));
    case 'UINT32':
      return pack(fields.uint64s, 4, (view, at, value) => view.setUint32(at, Number(value & 0xffffffffn), true));
    case 'INT32':
      return packInt32s(fields.int32s, 4);
    case 'INT16':
    case 'UINT16':
    case 'FLOAT16':
    case 'BFLOAT16':
      return packInt32s(fields.int32s, 2);
    default:
      return packInt32s(fields.int32s, 1); // bytes, booleans, float8, and two packed 4-bit values
  }
}

function packInt32s(values: readonly bigint[], width: 1 | 2 | 4): Uint8Array {
  return pack(values, width, (view, at, value) => {
    const bits = Number(value & 0xffffffffn);
    if (width === 4) view.setUint32(at, bits, true);
    else if (width === 2) view.setUint16(at, bits, true);
    else view.setUint8(at, bits);
  });
}

function pack<T>(values: readonly T[], width: number, set: (view: DataView, at: number, value: T) => void): Uint8Array {
  const data = new Uint8Array(values.length * width);
  const view = new DataView(data.buffer);
  values.forEach((value, index) => {
    set(view, index * width, value);
  });
  return data;
}
