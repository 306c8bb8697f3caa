/** Tensors, types and notes as bytes: the parts of an ONNX file that hold no graph. */
import { DIM, ELEMENT, ENTRY, MAP, SHAPE, SPARSE, TENSOR, TENSOR_TYPE, TYPE, VALUE } from './fields.ts';
import type { Writer } from './protobuf-writer.ts';
import {
  DATA_TYPES,
  type Dim,
  type Notes,
  type SparseTensor,
  type Tensor,
  type ValueInfo,
  type ValueType,
} from './types.ts';

/** Writes a tensor; numbers always as raw_data. */
export function writeTensor(w: Writer, tensor: Tensor): void {
  for (const dim of tensor.dims) w.int(TENSOR.dims, dim);
  w.int(TENSOR.type, DATA_TYPES[tensor.type].number);
  if (tensor.name) w.string(TENSOR.name, tensor.name);
  if (tensor.data instanceof Uint8Array) w.bytes(TENSOR.raw, tensor.data);
  else for (const value of tensor.data) w.string(TENSOR.strings, value);
  writeNotes(w, TENSOR, tensor);
}

/** Writes a tensor of which only some elements are listed. */
export function writeSparse(w: Writer, { dims, values, indices }: SparseTensor): void {
  w.message(SPARSE.values, (inner) => writeTensor(inner, values));
  w.message(SPARSE.indices, (inner) => writeTensor(inner, indices));
  for (const dim of dims) w.int(SPARSE.dims, dim);
}

/** Writes name and type of a value. */
export function writeValue(w: Writer, value: ValueInfo): void {
  const { name, type } = value;
  w.string(VALUE.name, name);
  if (type) w.message(VALUE.type, (inner) => writeType(inner, type));
  writeNotes(w, VALUE, value);
}

/** Writes a type. */
export function writeType(w: Writer, type: ValueType): void {
  switch (type.kind) {
    case 'TENSOR':
    case 'SPARSE_TENSOR':
      w.message(type.kind === 'TENSOR' ? TYPE.tensor : TYPE.sparse, (tensor) => {
        const { shape } = type;
        if (type.type) tensor.int(TENSOR_TYPE.element, DATA_TYPES[type.type].number);
        if (shape) tensor.message(TENSOR_TYPE.shape, (inner) => writeShape(inner, shape));
      });
      break;
    case 'SEQUENCE':
    case 'OPTIONAL':
      w.message(type.kind === 'SEQUENCE' ? TYPE.sequence : TYPE.optional, (inner) =>
        writeElement(inner, ELEMENT.type, type.of),
      );
      break;
    case 'MAP':
      w.message(TYPE.map, (map) => {
        map.int(MAP.key, DATA_TYPES[type.key].number);
        writeElement(map, MAP.value, type.of);
      });
      break;
  }
}

/** Writes doc_string and metadata_props into whatever message has them. */
export function writeNotes(w: Writer, at: { doc: number; metadata: number }, { doc, metadata }: Notes): void {
  if (doc) w.string(at.doc, doc);
  for (const [key, value] of metadata ?? [])
    w.message(at.metadata, (inner) => inner.string(ENTRY.key, key).string(ENTRY.value, value));
}

function writeElement(w: Writer, field: number, type: ValueType | null): void {
  if (type) w.message(field, (inner) => writeType(inner, type));
}

function writeShape(w: Writer, shape: readonly Dim[]): void {
  for (const dim of shape)
    w.message(SHAPE.dim, (inner) => {
      if (typeof dim === 'number') inner.int(DIM.value, dim);
      else if (dim !== null) inner.string(DIM.param, dim);
    });
}
