/**
 * AttributeProto -> name and value; the graph reader is passed in, because graphs hold attributes and these hold
 * graphs. The message is read twice: once for name and type, then the one field that the type says.
 */
import { readSparse, readTensor } from './decode-tensor.ts';
import { readType } from './decode-type.ts';
import { ATTRIBUTE, ATTRIBUTE_TYPES } from './fields.ts';
import type { Reader } from './protobuf-reader.ts';
import type { Attribute, AttributeType, Graph, ValueType } from './types.ts';

type ReadGraph = (r: Reader) => Graph;

const TYPES = new Map(Object.entries(ATTRIBUTE_TYPES).map(([type, number]) => [number, type as AttributeType]));

/** Reads one attribute. Absent scalars are zero, as protobuf has it. */
export function readAttribute(r: Reader, readGraph: ReadGraph): [name: string, value: Attribute] {
  const value = r.again();
  let name = '';
  let number = 0;
  let reference = '';
  let present: AttributeType | 'NONE' | 'MANY' = 'NONE';
  for (let field = r.field(); field; field = r.field()) {
    if (field === ATTRIBUTE.name) name = r.string('name');
    else if (field === ATTRIBUTE.type) number = r.size('type');
    else if (field === ATTRIBUTE.reference) reference = r.string('ref_attr_name');
    else {
      const type = TYPE_OF_FIELD.get(field);
      if (type) present = present === 'NONE' || present === type ? type : 'MANY';
      r.skip();
    }
  }
  if (name === '') r.fail('an attribute without a name');
  // IR version 1 had no `type`: what is there tells it, if it is one thing.
  const guessed = number === 0 && present !== 'NONE' && present !== 'MANY' ? present : undefined;
  const type = TYPES.get(number) ?? guessed ?? r.fail(`"${name}" has attribute type ${number}, which is not supported`);
  if (reference) return [name, { type: 'REFERENCE', value: reference, of: type }];
  return [name, readValue(value, name, type, readGraph)];
}

const FIELD_OF_TYPE: Readonly<Record<AttributeType, number>> = {
  FLOAT: ATTRIBUTE.f,
  INT: ATTRIBUTE.i,
  STRING: ATTRIBUTE.s,
  TENSOR: ATTRIBUTE.t,
  GRAPH: ATTRIBUTE.g,
  SPARSE_TENSOR: ATTRIBUTE.sparse,
  TYPE: ATTRIBUTE.tp,
  FLOATS: ATTRIBUTE.floats,
  INTS: ATTRIBUTE.ints,
  STRINGS: ATTRIBUTE.strings,
  TENSORS: ATTRIBUTE.tensors,
  GRAPHS: ATTRIBUTE.graphs,
  SPARSE_TENSORS: ATTRIBUTE.sparses,
  TYPES: ATTRIBUTE.types,
};

const TYPE_OF_FIELD = new Map(Object.entries(FIELD_OF_TYPE).map(([type, field]) => [field, type as AttributeType]));

function readValue(r: Reader, name: string, type: AttributeType, readGraph: ReadGraph): Attribute {
  /** Calls `take` for each occurrence of the field. */
  const each = (take: () => void) => {
    for (let field = r.field(); field; field = r.field()) {
      if (field === FIELD_OF_TYPE[type]) take();
      else r.skip();
    }
  };
  const all = <T>(read: () => T): T[] => {
    const values: T[] = [];
    each(() => values.push(read()));
    return values;
  };
  const only = <T>(read: () => T): T => {
    const [value, ...others] = all(read);
    return value !== undefined && others.length === 0
      ? value
      : r.fail(`"${name}" has ${value === undefined ? 0 : 1 + others.length} values of type ${type}, expected one`);
  };
  switch (type) {
    case 'FLOAT':
      return { type, value: all(() => r.float('f')).at(-1) ?? 0 };
    case 'INT':
      return { type, value: all(() => r.int('i')).at(-1) ?? 0n };
    case 'STRING':
      return { type, value: all(() => r.string('s')).at(-1) ?? '' };
    case 'TENSOR':
      return { type, value: only(() => readTensor(r.message('t'))) };
    case 'GRAPH':
      return { type, value: only(() => readGraph(r.message('g'))) };
    case 'SPARSE_TENSOR':
      return { type, value: only(() => readSparse(r.message('sparse_tensor'))) };
    case 'TYPE':
      return { type, value: only(() => readKnown(r.message('tp'))) };
    case 'STRINGS':
      return { type, value: all(() => r.string('strings')) };
    case 'TENSORS':
      return { type, value: all(() => readTensor(r.message('tensors'))) };
    case 'GRAPHS':
      return { type, value: all(() => readGraph(r.message('graphs'))) };
    case 'SPARSE_TENSORS':
      return { type, value: all(() => readSparse(r.message('sparse_tensors'))) };
    case 'TYPES':
      return { type, value: all(() => readKnown(r.message('type_protos'))) };
    case 'FLOATS': {
      const value: number[] = [];
      each(() => r.floats('floats', value));
      return { type, value };
    }
    case 'INTS': {
      const value: bigint[] = [];
      each(() => r.ints('ints', value));
      return { type, value };
    }
  }
}

function readKnown(r: Reader): ValueType {
  return readType(r) ?? r.fail('a type that says nothing');
}
