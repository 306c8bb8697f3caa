/** GraphProto, NodeProto, FunctionProto -> plain data. Order and meaning of the nodes are not looked at here. */
import { readAttribute } from './decode-attribute.ts';
import { type Noted, readNote } from './decode-notes.ts';
import { readSparse, readTensor } from './decode-tensor.ts';
import { readValue } from './decode-type.ts';
import { FUNCTION, GRAPH, NODE, OPSET } from './fields.ts';
import type { Reader } from './protobuf-reader.ts';
import type { Attribute, Graph, LocalFunction, Node, Opset, SparseTensor, Tensor, ValueInfo } from './types.ts';

/** Reads a graph with all that is in it. */
export function readGraph(r: Reader): Graph {
  let name = '';
  const nodes: Node[] = [];
  const initializers: Tensor[] = [];
  const sparseInitializers: SparseTensor[] = [];
  const inputs: ValueInfo[] = [];
  const outputs: ValueInfo[] = [];
  const values: ValueInfo[] = [];
  const notes: Noted = {};
  for (let field = r.field(); field; field = r.field()) {
    if (field === GRAPH.node) nodes.push(readNode(r.message(`node ${nodes.length}`)));
    else if (field === GRAPH.name) name = r.string('name');
    else if (field === GRAPH.initializer)
      initializers.push(readTensor(r.message(`initializer ${initializers.length}`)));
    else if (field === GRAPH.sparseInitializer)
      sparseInitializers.push(readSparse(r.message(`sparse_initializer ${sparseInitializers.length}`)));
    else if (field === GRAPH.input) inputs.push(readValue(r.message(`input ${inputs.length}`)));
    else if (field === GRAPH.output) outputs.push(readValue(r.message(`output ${outputs.length}`)));
    else if (field === GRAPH.value) values.push(readValue(r.message(`value_info ${values.length}`)));
    else if (!readNote(r, field, GRAPH, notes)) r.skip();
  }
  return { name, nodes, initializers, sparseInitializers, inputs, outputs, values, ...notes };
}

function readNode(r: Reader): Node {
  const node = { name: '', type: '', domain: '', inputs: [] as string[], outputs: [] as string[] };
  const attributes = new Map<string, Attribute>();
  const notes: Noted & { overload?: string | undefined } = {};
  for (let field = r.field(); field; field = r.field()) {
    if (field === NODE.input) node.inputs.push(r.string('input'));
    else if (field === NODE.output) node.outputs.push(r.string('output'));
    else if (field === NODE.name) node.name = r.string('name');
    else if (field === NODE.type) node.type = r.string('op_type');
    else if (field === NODE.domain) node.domain = domainOf(r.string('domain'));
    else if (field === NODE.overload) notes.overload = r.string('overload') || undefined;
    else if (field === NODE.attribute) readInto(r, attributes);
    else if (!readNote(r, field, NODE, notes)) r.skip();
  }
  if (node.type === '') r.fail('no op_type');
  return { ...node, attributes, ...notes };
}

/** Reads a function that the file defines itself. */
export function readLocalFunction(r: Reader): LocalFunction {
  const names = { domain: '', name: '', inputs: [] as string[], outputs: [] as string[], attributes: [] as string[] };
  const defaults = new Map<string, Attribute>();
  const opsets: Opset[] = [];
  const nodes: Node[] = [];
  const values: ValueInfo[] = [];
  const notes: Noted & { overload?: string | undefined } = {};
  for (let field = r.field(); field; field = r.field()) {
    if (field === FUNCTION.name) names.name = r.string('name');
    else if (field === FUNCTION.domain) names.domain = domainOf(r.string('domain'));
    else if (field === FUNCTION.overload) notes.overload = r.string('overload') || undefined;
    else if (field === FUNCTION.input) names.inputs.push(r.string('input'));
    else if (field === FUNCTION.output) names.outputs.push(r.string('output'));
    else if (field === FUNCTION.attribute) names.attributes.push(r.string('attribute'));
    else if (field === FUNCTION.attributeProto) readInto(r, defaults);
    else if (field === FUNCTION.node) nodes.push(readNode(r.message(`node ${nodes.length}`)));
    else if (field === FUNCTION.opset) opsets.push(readOpset(r.message('opset_import')));
    else if (field === FUNCTION.value) values.push(readValue(r.message(`value_info ${values.length}`)));
    else if (!readNote(r, field, FUNCTION, notes)) r.skip();
  }
  if (names.name === '') r.fail('a function without a name');
  return { ...names, defaults, opsets, nodes, values, ...notes };
}

/** Reads which version of which set of operators is meant. */
export function readOpset(r: Reader): Opset {
  const opset = { domain: '', version: 0 };
  for (let field = r.field(); field; field = r.field()) {
    if (field === OPSET.domain) opset.domain = domainOf(r.string('domain'));
    else if (field === OPSET.version) opset.version = r.size('version');
    else r.skip();
  }
  return opset;
}

function readInto(r: Reader, attributes: Map<string, Attribute>): void {
  const [name, attribute] = readAttribute(r.message(`attribute ${attributes.size}`), readGraph);
  if (attributes.has(name)) r.fail(`the attribute "${name}" occurs twice`);
  attributes.set(name, attribute);
}

/** The standard's own domain has two spellings. */
function domainOf(spelling: string): string {
  return spelling === 'ai.onnx' ? '' : spelling;
}
