/**
 * Bytes of an ONNX file -> Model, or an OnnxError: the file may come from anyone. It never follows a path out of the
 * file (external data is refused), and what it cannot represent without changing the meaning it refuses by name.
 */
import { readAttribute } from './decode-attribute.ts';
import { readTensor } from './decode-tensor.ts';
import { DIM, ENTRY, GRAPH, MODEL, NODE, OPSET, SHAPE, TENSOR_TYPE, TYPE, VALUE } from './fields.ts';
import { DEFAULT_LIMITS, type Limits, Reader } from './protobuf.ts';
import {
  type Attribute,
  type DataType,
  type Dim,
  dataTypeOf,
  type Graph,
  type Model,
  type Node,
  type Tensor,
  type ValueInfo,
} from './types.ts';

/** The model in an ONNX file. @throws OnnxError for bytes that are none, or use what we do not support. */
export function decodeModel(bytes: Uint8Array, limits: Limits = DEFAULT_LIMITS): Model {
  const r = Reader.of(bytes, 'model', limits);
  let irVersion = 0;
  const producer = { name: '', version: '' };
  let graph: Graph | undefined;
  const opsets: { domain: string; version: number }[] = [];
  const metadata = new Map<string, string>();
  for (let field = r.field(); field; field = r.field()) {
    if (field === MODEL.irVersion) irVersion = r.size('ir_version');
    else if (field === MODEL.producerName) producer.name = r.string('producer_name');
    else if (field === MODEL.producerVersion) producer.version = r.string('producer_version');
    else if (field === MODEL.graph) {
      // Protobuf would merge two graphs, so that different readers could see different models.
      if (graph) r.fail('a second graph');
      graph = readGraph(r.message('graph'));
    } else if (field === MODEL.opset) opsets.push(readOpset(r.message('opset_import')));
    else if (field === MODEL.metadata) readEntry(r.message('metadata_props'), metadata);
    else if (field === MODEL.functions) r.fail('model-local functions are not supported');
    else r.skip();
  }
  if (!graph) return r.fail('no graph: not an ONNX model');
  if (opsets.length === 0) r.fail('no opset_import');
  return { irVersion, opsets, producer, graph, metadata };
}

function readOpset(r: Reader): { domain: string; version: number } {
  const opset = { domain: '', version: 0 };
  for (let field = r.field(); field; field = r.field()) {
    if (field === OPSET.domain) opset.domain = r.string('domain');
    else if (field === OPSET.version) opset.version = r.size('version');
    else r.skip();
  }
  // The standard's own domain has two spellings.
  return opset.domain === 'ai.onnx' ? { ...opset, domain: '' } : opset;
}

function readEntry(r: Reader, into: Map<string, string>): void {
  let key = '';
  let value = '';
  for (let field = r.field(); field; field = r.field()) {
    if (field === ENTRY.key) key = r.string('key');
    else if (field === ENTRY.value) value = r.string('value');
    else r.skip();
  }
  if (into.has(key)) r.fail(`the key "${key}" occurs twice`);
  into.set(key, value);
}

function readGraph(r: Reader): Graph {
  let name = '';
  const nodes: Node[] = [];
  const initializers: Tensor[] = [];
  const inputs: ValueInfo[] = [];
  const outputs: ValueInfo[] = [];
  const values: ValueInfo[] = [];
  for (let field = r.field(); field; field = r.field()) {
    if (field === GRAPH.node) nodes.push(readNode(r.message(`node ${nodes.length}`)));
    else if (field === GRAPH.name) name = r.string('name');
    else if (field === GRAPH.initializer)
      initializers.push(readTensor(r.message(`initializer ${initializers.length}`)));
    else if (field === GRAPH.input) inputs.push(readValue(r.message(`input ${inputs.length}`)));
    else if (field === GRAPH.output) outputs.push(readValue(r.message(`output ${outputs.length}`)));
    else if (field === GRAPH.value) values.push(readValue(r.message(`value_info ${values.length}`)));
    else if (field === GRAPH.sparseInitializer) r.fail('sparse initializers are not supported');
    else r.skip();
  }
  return { name, nodes, initializers, inputs, outputs, values };
}

function readNode(r: Reader): Node {
  const node = { name: '', type: '', domain: '', inputs: [] as string[], outputs: [] as string[] };
  const attributes = new Map<string, Attribute>();
  for (let field = r.field(); field; field = r.field()) {
    if (field === NODE.input) node.inputs.push(r.string('input'));
    else if (field === NODE.output) node.outputs.push(r.string('output'));
    else if (field === NODE.name) node.name = r.string('name');
    else if (field === NODE.type) node.type = r.string('op_type');
    else if (field === NODE.domain) node.domain = r.string('domain');
    else if (field === NODE.overload && r.string('overload') !== '') r.fail('overloads are not supported');
    else if (field === NODE.attribute) {
      const [name, attribute] = readAttribute(r.message(`attribute ${attributes.size}`), readGraph);
      if (attributes.has(name)) r.fail(`the attribute "${name}" occurs twice`);
      attributes.set(name, attribute);
    } else if (field !== NODE.overload) r.skip();
  }
  if (node.type === '') r.fail('no op_type');
  return { ...node, domain: node.domain === 'ai.onnx' ? '' : node.domain, attributes };
}

function readValue(r: Reader): ValueInfo {
  let name = '';
  let type: { type: DataType; shape: Dim[] | null } | undefined;
  for (let field = r.field(); field; field = r.field()) {
    if (field === VALUE.name) name = r.string('name');
    else if (field === VALUE.type) type = readType(r.message('type'));
    else r.skip();
  }
  return { name, type: type?.type ?? null, shape: type?.shape ?? null };
}

const OTHER_TYPES = new Map<number, string>([
  [TYPE.sequence, 'sequence'],
  [TYPE.map, 'map'],
  [TYPE.sparse, 'sparse tensor'],
  [TYPE.optional, 'optional'],
]);

function readType(r: Reader): { type: DataType; shape: Dim[] | null } | undefined {
  let type: { type: DataType; shape: Dim[] | null } | undefined;
  for (let field = r.field(); field; field = r.field()) {
    const other = OTHER_TYPES.get(field);
    if (other) r.fail(`values of type ${other} are not supported, only tensors`);
    if (field === TYPE.tensor) type = readTensorType(r.message('tensor_type'));
    else r.skip();
  }
  return type;
}

function readTensorType(r: Reader): { type: DataType; shape: Dim[] | null } {
  let type: DataType | undefined;
  let shape: Dim[] | null = null;
  for (let field = r.field(); field; field = r.field()) {
    if (field === TENSOR_TYPE.element) {
      const number = r.size('elem_type');
      type = dataTypeOf(number) ?? r.fail(`elem_type ${number} is unknown`);
    } else if (field === TENSOR_TYPE.shape) shape = readShape(r.message('shape'));
    else r.skip();
  }
  return { type: type ?? r.fail('no elem_type'), shape };
}

function readShape(r: Reader): Dim[] {
  const shape: Dim[] = [];
  for (let field = r.field(); field; field = r.field()) {
    if (field === SHAPE.dim) shape.push(readDim(r.message(`dim ${shape.length}`)));
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
