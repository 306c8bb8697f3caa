/**
 * The version converter: models older than ai.onnx 7 -> 7, which is the oldest that the edge's runtime runs; what is
 * newer runs as it is. Each rule says what its operator lost or moved on the way. Pure.
 */
import { JobFailure } from '../failure.ts';
import { OnnxError } from '../ir/errors.ts';
import { type Dims, shapeOf } from '../ir/infer/fact.ts';
import { inferTypes, place } from '../ir/infer/infer.ts';
import {
  type Attribute,
  DATA_TYPES,
  type DataType,
  dataTypeOf,
  type Model,
  type Node,
  type Tensor,
} from '../ir/types.ts';
import { type Changed, constantOf, fresh, nodeOf, opsetOf, withSubgraphs } from './nodes.ts';

/** What the edge's runtime has every operator from. */
export const OLDEST_SERVED = 7;

/** Where a rule stands: it may add initializers, say what it did, or refuse. */
interface Context {
  readonly version: number;
  /** Shape of a value in front of the node; null if unknown. */
  shape(name: string): Dims | null;
  /** Adds a constant and answers its name. */
  constant(stem: string, type: DataType, dims: readonly number[], values: readonly number[]): string;
  name(stem: string): string;
  did(change: string): void;
  refuse(problem: string): never;
}
type Rule = (node: Node, at: Context) => readonly Node[];

/** A model that the edge's runtime has all operators for. @throws JobFailure OPSET_UNSUPPORTED */
export function modernised(model: Model): Changed {
  const version = opsetOf(model);
  if (version === 0 || version >= OLDEST_SERVED) return { model, changes: [] };
  if (model.functions.length > 0)
    throw new JobFailure(
      'OPSET_UNSUPPORTED',
      `opset ${version} with local functions: export the model for opset ${OLDEST_SERVED} or newer`,
    );
  const { nodes, constants, done } = convertAll(model, version);
  const opsets = model.opsets.map((o) => (o.domain === '' ? { ...o, version: OLDEST_SERVED } : o));
  const { graph } = model;
  const converted = { ...graph, nodes, initializers: [...graph.initializers, ...constants] };
  const counts = [...done].map(([change, count]) => (count > 1 ? `${change} (${count} times)` : change));
  const changes = [`opset ${version} converted to ${OLDEST_SERVED}`, ...counts];
  const irVersion = constants.length > 0 ? Math.max(4, model.irVersion) : model.irVersion;
  return { model: { ...model, irVersion, opsets, graph: converted }, changes };
}

function convertAll(model: Model, version: number) {
  const { graph } = model;
  const constants: Tensor[] = [];
  const done = new Map<string, number>();
  const name = fresh(graph);
  const nodes: Node[] = [];
  const opsets = [{ domain: '', version: OLDEST_SERVED }];
  const shape = (value: string): Dims | null => {
    const known = graph.initializers.find((tensor) => tensor.name === value);
    if (known) return known.dims;
    // Of what stands before this node, converted already.
    const before = { ...graph, nodes, initializers: [...graph.initializers, ...constants], values: [], outputs: [] };
    const found = shapeOf(inferTypes({ ...model, opsets, graph: before }).get(value) ?? { type: null, values: null });
    const declared = [...graph.values, ...graph.inputs].find((info) => info.name === value)?.type;
    return found ?? (declared?.kind === 'TENSOR' ? declared.shape : null);
  };
  for (const [index, node] of graph.nodes.entries()) {
    const refuse = (problem: string): never => {
      const where = `${place(node, index)}: operator ${node.type} of ai.onnx, opset ${version}`;
      throw new JobFailure(
        'OPSET_UNSUPPORTED',
        `${where}: ${problem}. Export the model for opset ${OLDEST_SERVED} or newer`,
      );
    };
    const at: Context = {
      version,
      shape: (value) => orRefuse(() => shape(value), refuse),
      constant(stem, type, dims, values) {
        const tensor = constantOf(name(stem), type, dims, values);
        constants.push(tensor);
        return tensor.name;
      },
      name,
      did: (change) => done.set(change, (done.get(change) ?? 0) + 1),
      refuse,
    };
    nodes.push(...convert(node, at));
  }
  return { nodes, constants, done };
}

function orRefuse<T>(work: () => T, refuse: (problem: string) => never): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof OnnxError) return refuse(error.message);
    throw error;
  }
}

function convert(node: Node, at: Context): readonly Node[] {
  if (node.domain !== '') return [node];
  // Inside a subgraph a rule cannot add constants or see shapes: those that need neither still work.
  const inner: Context = { ...at, shape: () => null, constant: () => at.refuse('cannot be converted in a subgraph') };
  const plain = withSubgraphs(without(node, 'consumed_inputs'), (graph) => ({
    ...graph,
    nodes: graph.nodes.flatMap((child) => convert(child, inner)),
  }));
  const rule = Object.hasOwn(RULES, node.type) ? RULES[node.type] : undefined;
  return rule ? rule(plain, at) : [plain];
}

function without(node: Node, ...names: readonly string[]): Node {
  if (!names.some((name) => node.attributes.has(name))) return node;
  return { ...node, attributes: new Map([...node.attributes].filter(([name]) => !names.includes(name))) };
}

function withAttribute(node: Node, name: string, attribute: Attribute): Node {
  return { ...node, attributes: new Map([...node.attributes, [name, attribute]]) };
}

function flag(node: Node, name: string): boolean {
  const attribute = node.attributes.get(name);
  return attribute?.type === 'INT' && attribute.value !== 0n;
}

function renamed(node: Node, from: string, to: string): Node {
  const attribute = node.attributes.get(from);
  return attribute ? withAttribute(without(node, from), to, attribute) : node;
}

/**
 * Opset < 7: the second operand is broadcast only with `broadcast`, its axes standing at `axis` of the first. Since 7
 * axes meet at the end: trailing axes of length 1 put the second one where it was.
 */
const broadcast: Rule = (node, at) => {
  const axis = node.attributes.get('axis');
  const plain = without(node, 'broadcast', 'axis');
  if (node.attributes.has('broadcast')) at.did(`${node.type}: "broadcast" became that of opset 7`);
  if (!flag(node, 'broadcast') || axis?.type !== 'INT') return [plain];
  const [a = '', b = ''] = node.inputs;
  const [left, right] = [at.shape(a), at.shape(b)];
  if (!left || !right) return at.refuse(`"axis" needs the ranks of "${a}" and "${b}", which are unknown`);
  const start = Number(axis.value) < 0 ? Number(axis.value) + left.length : Number(axis.value);
  const trailing = left.length - start - right.length;
  if (trailing < 0) return at.refuse(`"axis" ${start} does not fit the ranks ${left.length} and ${right.length}`);
  return trailing === 0 ? [plain] : withTrailingAxes(plain, right.length, trailing, at);
};

/** The second input with axes of length 1 behind its own. */
function withTrailingAxes(node: Node, rank: number, count: number, at: Context): readonly Node[] {
  const [a = '', b = '', ...more] = node.inputs;
  const output = at.name(`${b}_unsqueezed`);
  const axes = Array.from({ length: count }, (_, i) => BigInt(rank + i));
  const unsqueeze = nodeOf('Unsqueeze', [b], output, { axes: { type: 'INTS', value: axes } });
  return [unsqueeze, { ...node, inputs: [a, output, ...more] }];
}

const RULES: Readonly<Record<string, Rule>> = {
  Add: broadcast,
  Sub: broadcast,
  Mul: broadcast,
  Div: broadcast,
  Pow: broadcast,
  And: broadcast,
  Or: broadcast,
  Xor: broadcast,
  Equal: broadcast,
  Greater: broadcast,
  Less: broadcast,
  /** C is broadcast whenever its shape asks for it. */
  Gemm(node, at) {
    at.did('Gemm: "broadcast" became that of opset 7');
    return [without(node, 'broadcast')];
  },
  /** One slope per channel is broadcast along axis 1. */
  PRelu(node, at) {
    const [x = '', slope = ''] = node.inputs;
    const of = at.shape(slope);
    if (!of) return at.refuse(`the shape of the slope "${slope}" is unknown`);
    if (of.length !== 1 || of[0] === 1) return [node];
    const rank = at.shape(x)?.length ?? at.refuse(`the rank of "${x}" is unknown`);
    if (rank <= 2) return [node];
    at.did('PRelu: slopes got axes for broadcasting');
    return withTrailingAxes(node, 1, rank - 2, at);
  },
  BatchNormalization(node, at) {
    if (!flag(node, 'is_test') || node.outputs.slice(1).some((name) => name !== ''))
      return at.refuse('it is written for training (is_test 0), and would change while it runs');
    at.did('BatchNormalization: "is_test" removed, it is the only mode of opset 7');
    return [without(node, 'is_test')];
  },
  Dropout(node, at) {
    at.did(
      flag(node, 'is_test')
        ? 'Dropout: "is_test" removed, it is the only mode of opset 7'
        : 'Dropout: was in training mode (is_test 0); passes its input on, as at inference',
    );
    return [without(node, 'is_test')];
  },
  Cast(node, at) {
    const to = node.attributes.get('to');
    if (to?.type !== 'STRING') return [node];
    const name = to.value.toUpperCase();
    const number = Object.hasOwn(DATA_TYPES, name) ? DATA_TYPES[name as DataType].number : 0;
    if (!dataTypeOf(number)) return at.refuse(`"to" is "${to.value}", which is no element type`);
    at.did('Cast: "to" became a number');
    return [withAttribute(node, 'to', { type: 'INT', value: BigInt(number) })];
  },
  Reshape(node, at) {
    const shape = node.attributes.get('shape');
    if (shape?.type !== 'INTS') return [node];
    const [data = ''] = node.inputs;
    const name = at.constant(`${data}_shape`, 'INT64', [shape.value.length], shape.value.map(Number));
    at.did('Reshape: "shape" became an input');
    return [{ ...without(node, 'shape'), inputs: [data, name] }];
  },
  Concat(node, at) {
    if (node.attributes.has('axis') || at.version >= 4) return [node];
    at.did('Concat: "axis" 1 is written out');
    return [withAttribute(node, 'axis', { type: 'INT', value: 1n })];
  },
  Pad: (node) => [renamed(node, 'paddings', 'pads')],
  Split(node, at) {
    return node.inputs.length > 1 ? at.refuse('lengths as an input, as opset 1 had it, are not converted') : [node];
  },
  Tile(node, at) {
    return node.inputs.length === 3 ? at.refuse('tiles and axis, as opset 1 had them, are not converted') : [node];
  },
  GlobalLpPool: wholeP,
  LpPool: wholeP,
  RNN: (node) => [without(node, 'output_sequence')],
  GRU: (node) => [without(node, 'output_sequence')],
  LSTM: (node) => [without(node, 'output_sequence')],
  Upsample(node, at) {
    const [width, height] = [node.attributes.get('width_scale'), node.attributes.get('height_scale')];
    if (width?.type !== 'FLOAT' || height?.type !== 'FLOAT') return [node];
    at.did('Upsample: two scales became "scales"');
    const scales: Attribute = { type: 'FLOATS', value: [1, 1, height.value, width.value] };
    return [withAttribute(without(node, 'width_scale', 'height_scale'), 'scales', scales)];
  },
};

/** p was a float, and is an integer since opset 2. */
function wholeP(node: Node, at: Context): readonly Node[] {
  const p = node.attributes.get('p');
  if (p?.type !== 'FLOAT') return [node];
  if (!Number.isInteger(p.value)) return at.refuse(`p ${p.value} is no integer, as it must be since opset 2`);
  return [withAttribute(node, 'p', { type: 'INT', value: BigInt(p.value) })];
}
