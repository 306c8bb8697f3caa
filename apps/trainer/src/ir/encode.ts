/**
 * Model -> bytes of an ONNX file. Equal models give equal bytes: nothing here knows a clock, a name or a random
 * number.
 */
import {
  ATTRIBUTE,
  ATTRIBUTE_TYPES,
  DIM,
  ENTRY,
  GRAPH,
  MODEL,
  NODE,
  OPSET,
  SHAPE,
  TENSOR,
  TENSOR_TYPE,
  TYPE,
  VALUE,
} from './fields.ts';
import { Writer } from './protobuf.ts';
import {
  type Attribute,
  DATA_TYPES,
  type Dim,
  type Graph,
  type Model,
  type Node,
  type Tensor,
  type ValueInfo,
} from './types.ts';

/** The ONNX file of a model. */
export function encodeModel(model: Model): Uint8Array<ArrayBuffer> {
  const file = new Writer()
    .int(MODEL.irVersion, model.irVersion)
    .string(MODEL.producerName, model.producer.name)
    .string(MODEL.producerVersion, model.producer.version)
    .message(MODEL.graph, (w) => writeGraph(w, model.graph));
  for (const { domain, version } of model.opsets)
    file.message(MODEL.opset, (w) => w.string(OPSET.domain, domain).int(OPSET.version, version));
  for (const [key, value] of model.metadata)
    file.message(MODEL.metadata, (w) => w.string(ENTRY.key, key).string(ENTRY.value, value));
  return file.finish();
}

function writeGraph(w: Writer, graph: Graph): void {
  for (const node of graph.nodes) w.message(GRAPH.node, (inner) => writeNode(inner, node));
  w.string(GRAPH.name, graph.name);
  for (const tensor of graph.initializers) w.message(GRAPH.initializer, (inner) => writeTensor(inner, tensor));
  for (const value of graph.inputs) w.message(GRAPH.input, (inner) => writeValue(inner, value));
  for (const value of graph.outputs) w.message(GRAPH.output, (inner) => writeValue(inner, value));
  for (const value of graph.values) w.message(GRAPH.value, (inner) => writeValue(inner, value));
}

function writeNode(w: Writer, node: Node): void {
  for (const name of node.inputs) w.string(NODE.input, name);
  for (const name of node.outputs) w.string(NODE.output, name);
  if (node.name) w.string(NODE.name, node.name);
  w.string(NODE.type, node.type);
  for (const [name, attribute] of node.attributes)
    w.message(NODE.attribute, (inner) => writeAttribute(inner, name, attribute));
  if (node.domain) w.string(NODE.domain, node.domain);
}

function writeAttribute(w: Writer, name: string, attribute: Attribute): void {
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
  }
  w.int(ATTRIBUTE.type, ATTRIBUTE_TYPES[attribute.type]);
}

function writeValue(w: Writer, { name, type, shape }: ValueInfo): void {
  w.string(VALUE.name, name);
  if (type === null) return;
  w.message(VALUE.type, (outer) =>
    outer.message(TYPE.tensor, (tensor) => {
      tensor.int(TENSOR_TYPE.element, DATA_TYPES[type].number);
      if (shape) tensor.message(TENSOR_TYPE.shape, (inner) => writeShape(inner, shape));
    }),
  );
}

function writeShape(w: Writer, shape: readonly Dim[]): void {
  for (const dim of shape)
    w.message(SHAPE.dim, (inner) => {
      if (typeof dim === 'number') inner.int(DIM.value, dim);
      else if (dim !== null) inner.string(DIM.param, dim);
    });
}

function writeTensor(w: Writer, tensor: Tensor): void {
  for (const dim of tensor.dims) w.int(TENSOR.dims, dim);
  w.int(TENSOR.type, DATA_TYPES[tensor.type].number);
  if (tensor.name) w.string(TENSOR.name, tensor.name);
  if (tensor.data instanceof Uint8Array) w.bytes(TENSOR.raw, tensor.data);
  else for (const value of tensor.data) w.string(TENSOR.strings, value);
}
