/**
 * AttributeProto -> name and value; the graph reader is passed in, because graphs hold attributes and these hold
 * graphs.
 */
import { readTensor } from './decode-tensor.ts';
import { ATTRIBUTE, ATTRIBUTE_TYPES } from './fields.ts';
import type { Reader } from './protobuf.ts';
import type { Attribute, Graph, Tensor } from './types.ts';

interface Fields {
  f: number;
  i: bigint;
  s: string;
  t: Tensor[];
  g: Graph[];
  floats: number[];
  ints: bigint[];
  strings: string[];
  tensors: Tensor[];
  graphs: Graph[];
}

/** Reads one attribute. Absent scalars are zero, as protobuf has it. */
export function readAttribute(r: Reader, readGraph: (r: Reader) => Graph): [name: string, value: Attribute] {
  const fields: Fields = {
    f: 0,
    i: 0n,
    s: '',
    t: [],
    g: [],
    floats: [],
    ints: [],
    strings: [],
    tensors: [],
    graphs: [],
  };
  let name = '';
  let type = 0;
  for (let field = r.field(); field; field = r.field()) {
    if (field === ATTRIBUTE.name) name = r.string('name');
    else if (field === ATTRIBUTE.f) fields.f = r.float('f');
    else if (field === ATTRIBUTE.i) fields.i = r.int('i');
    else if (field === ATTRIBUTE.s) fields.s = r.string('s');
    else if (field === ATTRIBUTE.t) fields.t.push(readTensor(r.message('t')));
    else if (field === ATTRIBUTE.g) fields.g.push(readGraph(r.message('g')));
    else if (field === ATTRIBUTE.floats) r.floats('floats', fields.floats);
    else if (field === ATTRIBUTE.ints) r.ints('ints', fields.ints);
    else if (field === ATTRIBUTE.strings) fields.strings.push(r.string('strings'));
    else if (field === ATTRIBUTE.tensors) fields.tensors.push(readTensor(r.message('tensors')));
    else if (field === ATTRIBUTE.graphs) fields.graphs.push(readGraph(r.message('graphs')));
    else if (field === ATTRIBUTE.type) type = r.size('type');
    else if (field === ATTRIBUTE.reference) r.fail('references to function attributes are not supported');
    else r.skip();
  }
  if (name === '') r.fail('an attribute without a name');
  return [name, pick(r, name, type, fields)];
}

function pick(r: Reader, name: string, type: number, fields: Fields): Attribute {
  const only = <T>(values: T[], what: string): T => {
    const [value] = values;
    if (value === undefined || values.length > 1) return r.fail(`"${name}" has ${values.length} ${what}, expected one`);
    return value;
  };
  switch (type) {
    case ATTRIBUTE_TYPES.FLOAT:
      return { type: 'FLOAT', value: fields.f };
    case ATTRIBUTE_TYPES.INT:
      return { type: 'INT', value: fields.i };
    case ATTRIBUTE_TYPES.STRING:
      return { type: 'STRING', value: fields.s };
    case ATTRIBUTE_TYPES.TENSOR:
      return { type: 'TENSOR', value: only(fields.t, 'tensors') };
    case ATTRIBUTE_TYPES.GRAPH:
      return { type: 'GRAPH', value: only(fields.g, 'graphs') };
    case ATTRIBUTE_TYPES.FLOATS:
      return { type: 'FLOATS', value: fields.floats };
    case ATTRIBUTE_TYPES.INTS:
      return { type: 'INTS', value: fields.ints };
    case ATTRIBUTE_TYPES.STRINGS:
      return { type: 'STRINGS', value: fields.strings };
    case ATTRIBUTE_TYPES.TENSORS:
      return { type: 'TENSORS', value: fields.tensors };
    case ATTRIBUTE_TYPES.GRAPHS:
      return { type: 'GRAPHS', value: fields.graphs };
    default:
      return r.fail(`"${name}" has attribute type ${type}, which is not supported`);
  }
}
