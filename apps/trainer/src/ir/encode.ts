/**
 * Model -> bytes of an ONNX file. Equal models give equal bytes: nothing here knows a clock, a name or a random
 * number.
 */
import { writeAttribute } from './encode-attribute.ts';
import { writeNotes, writeSparse, writeTensor, writeValue } from './encode-tensor.ts';
import { ENTRY, FUNCTION, GRAPH, MODEL, NODE, OPSET } from './fields.ts';
import { Writer } from './protobuf-writer.ts';
import type { Graph, LocalFunction, Model, Node, Opset, Tensor } from './types.ts';

/** The ONNX file of a model. */
export function encodeModel(model: Model): Uint8Array<ArrayBuffer> {
  const file = new Writer()
    .int(MODEL.irVersion, model.irVersion)
    .string(MODEL.producerName, model.producer.name)
    .string(MODEL.producerVersion, model.producer.version);
  if (model.domain) file.string(MODEL.domain, model.domain);
  if (model.version) file.int(MODEL.version, model.version);
  if (model.doc) file.string(MODEL.doc, model.doc);
  file.message(MODEL.graph, (w) => writeGraph(w, model.graph));
  for (const opset of model.opsets) file.message(MODEL.opset, (w) => writeOpset(w, opset));
  for (const [key, value] of model.metadata)
    file.message(MODEL.metadata, (w) => w.string(ENTRY.key, key).string(ENTRY.value, value));
  for (const local of model.functions) file.message(MODEL.functions, (w) => writeLocalFunction(w, local));
  return file.finish();
}

/** The bytes of one tensor as a file of its own. */
export function encodeTensor(tensor: Tensor): Uint8Array<ArrayBuffer> {
  const file = new Writer();
  writeTensor(file, tensor);
  return file.finish();
}

function writeOpset(w: Writer, { domain, version }: Opset): void {
  w.string(OPSET.domain, domain).int(OPSET.version, version);
}

function writeGraph(w: Writer, graph: Graph): void {
  for (const node of graph.nodes) w.message(GRAPH.node, (inner) => writeNode(inner, node));
  w.string(GRAPH.name, graph.name);
  for (const tensor of graph.initializers) w.message(GRAPH.initializer, (inner) => writeTensor(inner, tensor));
  for (const value of graph.inputs) w.message(GRAPH.input, (inner) => writeValue(inner, value));
  for (const value of graph.outputs) w.message(GRAPH.output, (inner) => writeValue(inner, value));
  for (const value of graph.values) w.message(GRAPH.value, (inner) => writeValue(inner, value));
  for (const sparse of graph.sparseInitializers)
    w.message(GRAPH.sparseInitializer, (inner) => writeSparse(inner, sparse));
  writeNotes(w, GRAPH, graph);
}

function writeNode(w: Writer, node: Node): void {
  for (const name of node.inputs) w.string(NODE.input, name);
  for (const name of node.outputs) w.string(NODE.output, name);
  if (node.name) w.string(NODE.name, node.name);
  w.string(NODE.type, node.type);
  for (const [name, attribute] of node.attributes)
    w.message(NODE.attribute, (inner) => writeAttribute(inner, name, attribute, writeGraph));
  if (node.domain) w.string(NODE.domain, node.domain);
  if (node.overload) w.string(NODE.overload, node.overload);
  writeNotes(w, NODE, node);
}

function writeLocalFunction(w: Writer, local: LocalFunction): void {
  w.string(FUNCTION.name, local.name);
  for (const name of local.inputs) w.string(FUNCTION.input, name);
  for (const name of local.outputs) w.string(FUNCTION.output, name);
  for (const name of local.attributes) w.string(FUNCTION.attribute, name);
  for (const node of local.nodes) w.message(FUNCTION.node, (inner) => writeNode(inner, node));
  for (const opset of local.opsets) w.message(FUNCTION.opset, (inner) => writeOpset(inner, opset));
  w.string(FUNCTION.domain, local.domain);
  for (const [name, attribute] of local.defaults)
    w.message(FUNCTION.attributeProto, (inner) => writeAttribute(inner, name, attribute, writeGraph));
  for (const value of local.values) w.message(FUNCTION.value, (inner) => writeValue(inner, value));
  if (local.overload) w.string(FUNCTION.overload, local.overload);
  writeNotes(w, FUNCTION, local);
}
