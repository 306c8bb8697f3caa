/**
 * Whole artifacts with TensorFlow.js: it has neither strings nor doubles nor 64-bit integers, which the nodes over raw
 * columns are made of. Those nodes run in ONNX Runtime's WebAssembly, everything else in TensorFlow.js, in as few turns
 * as the graph allows.
 */
import { nodeRuntime } from '@anneal/edge/engine/node';
import { decodeModel } from '../../ir/decode.ts';
import { encodeModel } from '../../ir/encode.ts';
import { inferTypes } from '../../ir/infer/infer.ts';
import type { DataType, Graph, Model, Node } from '../../ir/types.ts';
import { EngineError } from '../engine.ts';
import type { HostTensor, Outputs, Session } from '../session.ts';
import { Interpreter } from './interpreter.ts';
import type { Tensor, Tf } from './tensorflow.ts';
import { tensorsOf } from './training.ts';

/** The element types that TensorFlow.js has. */
const TENSORS: readonly (DataType | null)[] = ['FLOAT', 'INT32', 'BOOL'];

/** Nodes of one runtime, computable from what came before them. */
interface Turn {
  readonly host: boolean;
  readonly nodes: Node[];
}

/** What a turn does once it is loaded. */
interface Loaded {
  run(values: ReadonlyMap<string, HostTensor>): Outputs;
  close(): void;
}

/** A model of any element types as a session. @throws EngineError for operators that TensorFlow.js needs and has not */
export async function openMixed(tf: Tf, bytes: Uint8Array): Promise<Session> {
  const model = decodeModel(bytes);
  const types = typesOf(model);
  const turns = turnsOf(model.graph, types);
  const runtime = await nodeRuntime();
  const loaded = turns.map((turn, index): Loaded => {
    const part = partOf(model.graph, turn.nodes, neededAfter(model.graph, turns, index), types);
    if (!turn.host) return openTensors(tf, part);
    const session = runtime.createSession(encodeModel({ ...model, graph: part, metadata: new Map() }));
    return { run: (values) => session.run(Object.fromEntries(values)), close: () => session.release() };
  });
  return {
    async run(feeds) {
      const values = new Map(Object.entries(feeds));
      for (const { run } of loaded) for (const [name, tensor] of Object.entries(run(values))) values.set(name, tensor);
      return Object.fromEntries(model.graph.outputs.map(({ name }) => [name, known(values, name)]));
    },
    async close() {
      for (const { close } of loaded) close();
    },
  };
}

function openTensors(tf: Tf, graph: Graph): Loaded {
  const interpreter = new Interpreter(tf, graph, { outputs: graph.outputs.map(({ name }) => name) });
  return {
    run: (values) =>
      interpreted(tf, interpreter, Object.fromEntries(graph.inputs.map(({ name }) => [name, known(values, name)]))),
    close: () => interpreter.close(),
  };
}

/** Runs a graph on plain tensors. */
export function interpreted(tf: Tf, interpreter: Interpreter, feeds: Record<string, HostTensor>): Outputs {
  const outputs: Outputs = {};
  tf.tidy(() => {
    for (const [name, tensor] of interpreter.run(tensorsOf(tf, feeds))) outputs[name] = plain(name, tensor);
  });
  return outputs;
}

function plain(name: string, tensor: Tensor): HostTensor {
  const [dims, data] = [tensor.shape, tensor.dataSync()];
  if (tensor.dtype === 'float32') return { type: 'float32', dims, data: Float32Array.from(data) };
  if (tensor.dtype === 'int32') return { type: 'int32', dims, data: Int32Array.from(data) };
  if (tensor.dtype === 'bool') return { type: 'bool', dims, data: Uint8Array.from(data) };
  throw new EngineError(`TFJS: "${name}" is ${tensor.dtype}, which no other engine has`);
}

function known(values: ReadonlyMap<string, HostTensor>, name: string): HostTensor {
  const tensor = values.get(name);
  if (!tensor) throw new EngineError(`TFJS: the value "${name}" was not given and not computed`);
  return tensor;
}

function typesOf(model: Model): ReadonlyMap<string, DataType | null> {
  const facts = [...inferTypes(model)];
  return new Map(facts.map(([name, { type }]) => [name, type?.kind === 'TENSOR' ? type.type : null]));
}

/** Nodes in turns: all that one runtime can compute by now, then all that the other can, and so on. */
function turnsOf(graph: Graph, types: ReadonlyMap<string, DataType | null>): Turn[] {
  const constants = new Set(graph.initializers.map(({ name }) => name));
  // Axes and shapes are INT64 constants on every node; strings and doubles are data wherever they stand.
  const counts = (name: string) => name !== '' && !(constants.has(name) && types.get(name) === 'INT64');
  const onHost = ({ inputs, outputs }: Node) =>
    [...inputs, ...outputs].some((name) => counts(name) && !TENSORS.includes(types.get(name) ?? null));
  const there = new Set(['', ...constants, ...graph.inputs.map(({ name }) => name)]);
  const turns: Turn[] = [];
  let left = [...graph.nodes];
  for (let host = true, idle = 0; left.length > 0 && idle < 2; host = !host) {
    const turn: Turn = { host, nodes: [] };
    left = left.filter((node) => {
      if (onHost(node) !== host || !node.inputs.every((name) => there.has(name))) return true;
      turn.nodes.push(node);
      for (const name of node.outputs) there.add(name);
      return false;
    });
    idle = turn.nodes.length > 0 ? 0 : idle + 1;
    if (turn.nodes.length > 0) turns.push(turn);
  }
  if (left[0]) throw new EngineError(`TFJS: the node "${left[0].name}" reads a value that nothing computes`);
  return turns;
}

/** Names that later turns or the caller read. */
function neededAfter(graph: Graph, turns: readonly Turn[], index: number): ReadonlySet<string> {
  const later = turns.slice(index + 1).flatMap(({ nodes }) => nodes.flatMap(({ inputs }) => inputs));
  return new Set([...later, ...graph.outputs.map(({ name }) => name)]);
}

/** These nodes as a graph of their own. */
function partOf(
  graph: Graph,
  nodes: readonly Node[],
  after: ReadonlySet<string>,
  types: ReadonlyMap<string, DataType | null>,
): Graph {
  const made = new Set(nodes.flatMap(({ outputs }) => outputs));
  const read = new Set(nodes.flatMap(({ inputs }) => inputs));
  const initializers = graph.initializers.filter(({ name }) => read.has(name));
  const constants = new Set(initializers.map(({ name }) => name));
  const info = (name: string) => ({
    name,
    type: { kind: 'TENSOR', type: types.get(name) ?? null, shape: null } as const,
  });
  return {
    ...graph,
    nodes,
    initializers,
    inputs: [...read].filter((name) => name !== '' && !made.has(name) && !constants.has(name)).map(info),
    outputs: [...made].filter((name) => after.has(name)).map(info),
    values: [],
  };
}
