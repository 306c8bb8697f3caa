/** ValueInfoProto and TypeProto -> name and type of a value. */
import { type Noted, readNote } from './decode-notes.ts';
import { DIM, ELEMENT, MAP, SHAPE, TENSOR_TYPE, TYPE, VALUE } from './fields.ts';
import type { Reader } from './protobuf-reader.ts';
import { type DataType, type Dim, dataTypeOf, type ValueInfo, type ValueType } from './types.ts';

/** Reads what a file says about one value. */
export function readValue(r: Reader): ValueInfo {
  let name = '';
  let type: ValueType | null = null;
  const notes: Noted = {};
  for (let field = r.field(); field; field = r.field()) {
    if (field === VALUE.name) name = r.string('name');
    else if (field === VALUE.type) type = readType(r.message('type'));
    else if (!readNote(r, field, VALUE, notes)) r.skip();
  }
  return { name, type, ...notes };
}

/** Reads a type; null if the message says nothing. */
export function readType(r: Reader): ValueType | null {
  let type: ValueType | null = null;
  for (let field = r.field(); field; field = r.field()) {
    if (field === TYPE.tensor) type = readTensorType(r.message('tensor_type'), 'TENSOR');
    else if (field === TYPE.sparse) type = readTensorType(r.message('sparse_tensor_type'), 'SPARSE_TENSOR');
    else if (field === TYPE.sequence) type = { kind: 'SEQUENCE', of: readElement(r.message('sequence_type')) };
    else if (field === TYPE.optional) type = { kind: 'OPTIONAL', of: readElement(r.message('optional_type')) };
    else if (field === TYPE.map) type = readMap(r.message('map_type'));
    else if (field === TYPE.opaque) r.fail('opaque types are not supported');
    else r.skip();
  }
  return type;
}

function readElement(r: Reader): ValueType | null {
  let type: ValueType | null = null;
  for (let field = r.field(); field; field = r.field()) {
    if (field === ELEMENT.type) type = readType(r.message('elem_type'));
    else r.skip();
  }
  return type;
}

function readMap(r: Reader): ValueType {
  let key: DataType | null = null;
  let of: ValueType | null = null;
  for (let field = r.field(); field; field = r.field()) {
    if (field === MAP.key) key = readDataType(r, 'key_type');
    else if (field === MAP.value) of = readType(r.message('value_type'));
    else r.skip();
  }
  return { kind: 'MAP', key: key ?? r.fail('a map without key_type'), of };
}

function readTensorType(r: Reader, kind: 'TENSOR' | 'SPARSE_TENSOR'): ValueType {
  let type: DataType | null = null;
  let shape: Dim[] | null = null;
  for (let field = r.field(); field; field = r.field()) {
    if (field === TENSOR_TYPE.element) type = readDataType(r, 'elem_type');
    else if (field === TENSOR_TYPE.shape) shape = readShape(r.message('shape'));
    else r.skip();
  }
  return { kind, type, shape };
}

/** 0 is the standard's "undefined". */
function readDataType(r: Reader, what: string): DataType | null {
  const number = r.size(what);
  return number === 0 ? null : (dataTypeOf(number) ?? r.fail(`${what} ${number} is unknown`));
}

function readShape(r: Reader): Dim[] {
  const shape: Dim[] = [];
  for (let field = r.field(); field; field = r.field()) {
    if (field === SHAPE.dim) shape.push(readDim(r.message('dim')));
    else r.skip();
  }
  return shape;
}

function readDim(r: Reader): Dim {
  let dim: Dim = null;
  for (let field = r.field(); field; field = r.field()) {
    if (field === DIM.value) dim = r.size('dim_value');
    else if (field === DIM.param) dim = r.string('dim_param') || null;
    else r.skip();
  }
  return dim;
}
