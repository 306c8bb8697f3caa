/** Attributes as bytes; the graph writer is passed in, because graphs hold attributes and these hold graphs. */
import { writeSparse, writeTensor, writeType } from './encode-tensor.ts';
import { ATTRIBUTE, ATTRIBUTE_TYPES } from './fields.ts';
import type { Writer } from './protobuf-writer.ts';
import type { Attribute, Graph } from './types.ts';

/** Writes one attribute. */
export function writeAttribute(
  w: Writer,
  name: string,
  attribute: Attribute,
  writeGraph: (w: Writer, graph: Graph) => void,
): void {
  w.string(ATTRIBUTE.name, name);
  switch (attribute.type) {
    case 'FLOAT':
      w.float(ATTRIBUTE.f, attribute.value);
      break;
    case 'INT':
      w.int(ATTRIBUTE.i, attribute.value);
      break;
    case 'STRING':
      w.string(ATTRIBUTE.s, attribute.value);
      break;
    case 'TENSOR':
      w.message(ATTRIBUTE.t, (inner) => writeTensor(inner, attribute.value));
      break;
    case 'GRAPH':
      w.message(ATTRIBUTE.g, (inner) => writeGraph(inner, attribute.value));
      break;
    case 'SPARSE_TENSOR':
      w.message(ATTRIBUTE.sparse, (inner) => writeSparse(inner, attribute.value));
      break;
    case 'TYPE':
      w.message(ATTRIBUTE.tp, (inner) => writeType(inner, attribute.value));
      break;
    case 'FLOATS':
      for (const value of attribute.value) w.float(ATTRIBUTE.floats, value);
      break;
    case 'INTS':
      for (const value of attribute.value) w.int(ATTRIBUTE.ints, value);
      break;
    case 'STRINGS':
      for (const value of attribute.value) w.string(ATTRIBUTE.strings, value);
      break;
    case 'TENSORS':
      for (const value of attribute.value) w.message(ATTRIBUTE.tensors, (inner) => writeTensor(inner, value));
      break;
    case 'GRAPHS':
      for (const value of attribute.value) w.message(ATTRIBUTE.graphs, (inner) => writeGraph(inner, value));
      break;
    case 'SPARSE_TENSORS':
      for (const value of attribute.value) w.message(ATTRIBUTE.sparses, (inner) => writeSparse(inner, value));
      break;
    case 'TYPES':
      for (const value of attribute.value) w.message(ATTRIBUTE.types, (inner) => writeType(inner, value));
      break;
    case 'REFERENCE':
      w.string(ATTRIBUTE.reference, attribute.value);
      break;
  }
  w.int(ATTRIBUTE.type, ATTRIBUTE_TYPES[attribute.type === 'REFERENCE' ? attribute.of : attribute.type]);
}
