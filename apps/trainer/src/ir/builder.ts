/**
 * Builds an ONNX graph value by value. Every value knows its element type and shape, so that a mistake is an error at
 * the line that makes it and not in the runtime. The operations themselves are the functions of ops.ts.
 */
import { GraphError } from './errors.ts';
import type { OpName } from './ops.ts';
import { describe, type Shape } from './shapes.ts';
import { tensorOf, type Values } from './tensor.ts';
import type { Attribute, DataType, Graph, Model, Node, Tensor, ValueInfo } from './types.ts';

/** Operator set that graphs are written in unless they need a later one: what current ONNX tools read. */
export const OPSET = 21;
/** Operations that came later. */
const SINCE: Partial<Record<string, number>> = { Attention: 23, RMSNormalization: 23, RotaryEmbedding: 23, Swish: 24 };
/** Operator set of ai.onnx.ml: the first whose LabelEncoder every runtime of ours has with all key types. */
export const ML_OPSET = 4;
/** The ONNX IR version that came with opset 21. */
const IR_VERSION = 10;

/** One tensor of a graph under construction. */
export interface Value {
  readonly graph: GraphBuilder;
  readonly name: string;
  readonly type: DataType;
  readonly shape: Shape;
  /** Its contents, where they are known before the graph runs. */
  readonly constant: Tensor | null;
}

/** One node of a graph under construction. */
export interface Operation {
  readonly type: OpName;
  readonly domain: '' | 'ai.onnx.ml';
  readonly name: string;
  /** null: an optional input that is left out. */
  readonly inputs: readonly (Value | null)[];
  readonly outputs: readonly Value[];
  /** How many of the last outputs the file leaves out where nothing reads them. */
  readonly optional: number;
  readonly attributes: ReadonlyMap<string, Attribute>;
}

/** What `emit` needs to know of a new node. */
export interface Emission {
  readonly type: OpName;
  readonly domain?: 'ai.onnx.ml';
  readonly inputs: readonly (Value | null)[];
  readonly outputs: readonly { readonly type: DataType; readonly shape: Shape }[];
  readonly optional?: number;
  readonly attributes?: Readonly<Record<string, Attribute>>;
}

/** A graph under construction: operations are appended in topological order and never change. */
export class GraphBuilder {
  readonly name: string;
  readonly #inputs: Value[] = [];
  readonly #operations: Operation[] = [];
  readonly #outputs: Value[] = [];
  readonly #renamed = new Map<Value, string>();
  readonly #shared = new Map<string, Value>();
  readonly #taken = new Set<string>();
  readonly #counts = new Map<string, number>();
  #scope: string;

  /** `scope` is put in front of every name that is made up: a graph inside another needs names of its own. */
  constructor(name: string, scope = '') {
    this.name = name;
    this.#scope = scope;
  }

  /** The operations so far, in topological order. */
  get operations(): readonly Operation[] {
    return this.#operations;
  }

  /** The declared inputs, in order. */
  get inputs(): readonly Value[] {
    return this.#inputs;
  }

  /** The declared outputs, in order. */
  get outputs(): readonly Value[] {
    return this.#outputs;
  }

  /** Declares an input of the graph. */
  input(name: string, type: DataType, shape: Shape): Value {
    const value = this.#value(this.#take(name), type, shape, null);
    this.#inputs.push(value);
    return value;
  }

  /** A named constant: weights that a reader of the file should find by name. */
  initializer(name: string, type: DataType, dims: readonly number[], values: Values): Value {
    const taken = this.#take(name);
    return this.#value(taken, type, dims, tensorOf(taken, type, dims, values));
  }

  /** A constant without a name of its own; equal small ones are one. */
  constant(type: DataType, dims: readonly number[], values: Values): Value {
    const key = values.length <= 16 ? `${type} [${dims}] ${JSON.stringify(Array.from(values, spell))}` : null;
    const known = key === null ? undefined : this.#shared.get(key);
    if (known) return known;
    const value = this.initializer(this.#fresh('constant'), type, dims, values);
    if (key !== null) this.#shared.set(key, value);
    return value;
  }

  /** Makes a value an output of the graph under this name. */
  output(name: string, value: Value): void {
    this.#owned(value, `output "${name}"`);
    // An operation's result simply takes the name; an input, a constant or a value with two names needs a node for it.
    const named = this.#renamed.has(value) || !this.#operations.some(({ outputs }) => outputs.includes(value));
    const { type, shape } = value;
    const [source = value] = named ? this.emit({ type: 'Identity', inputs: [value], outputs: [{ type, shape }] }) : [];
    this.#renamed.set(source, this.#take(name));
    this.#outputs.push({ ...source, name });
  }

  /** Runs `build` with the names of its nodes under `name/`, so that errors and viewers say where. */
  scope<T>(name: string, build: () => T): T {
    const outer = this.#scope;
    this.#scope = `${outer}${name}/`;
    try {
      return build();
    } finally {
      this.#scope = outer;
    }
  }

  /** Where the builder is now, for errors: "MatMul in hidden1/". */
  place(type: OpName): string {
    return this.#scope === '' ? type : `${type} in ${this.#scope}`;
  }

  /** Appends a node; only the functions of ops.ts call this, having checked its inputs. */
  emit(emission: Emission): readonly Value[] {
    for (const value of emission.inputs) if (value) this.#owned(value, this.place(emission.type));
    const outputs = emission.outputs.map(({ type, shape }) =>
      this.#value(this.#take(this.#fresh(emission.type)), type, shape, null),
    );
    this.#operations.push({
      type: emission.type,
      domain: emission.domain ?? '',
      name: outputs[0]?.name ?? '',
      inputs: emission.inputs,
      outputs,
      optional: emission.optional ?? 0,
      attributes: new Map(Object.entries(emission.attributes ?? {})),
    });
    return outputs;
  }

  /** The graph as plain data, without what no output needs. */
  graph(): Graph {
    if (this.#outputs.length === 0) throw new GraphError(`graph "${this.name}" has no outputs: call output() first`);
    const needed = new Set<Value>(this.#renamed.keys());
    const backwards = this.#operations.toReversed().filter((operation) => {
      if (!operation.outputs.some((value) => needed.has(value))) return false;
      for (const value of operation.inputs) if (value) needed.add(value);
      return true;
    });
    const operations = backwards.reverse();
    const constants = new Set(operations.flatMap(({ inputs }) => inputs.flatMap((value) => value?.constant ?? [])));
    return {
      name: this.name,
      nodes: operations.map((operation) => this.#nodeOf(operation, needed)),
      initializers: [...constants],
      sparseInitializers: [],
      inputs: this.#inputs.map(infoOf),
      outputs: this.#outputs.map(infoOf),
      values: [],
    };
  }

  /** The graph as a complete ONNX model. */
  model({ metadata = new Map() }: { metadata?: ReadonlyMap<string, string> } = {}): Model {
    const graph = this.graph();
    const ml = graph.nodes.some((node) => node.domain === 'ai.onnx.ml');
    return {
      irVersion: IR_VERSION,
      opsets: [{ domain: '', version: opsetOf(graph) }, ...(ml ? [{ domain: 'ai.onnx.ml', version: ML_OPSET }] : [])],
      producer: { name: 'anneal', version: '' },
      graph,
      functions: [],
      metadata,
    };
  }

  #nodeOf({ type, domain, name, inputs, outputs: all, optional, attributes }: Operation, needed: Set<Value>): Node {
    const last = all.findLastIndex((value, index) => index < all.length - optional || needed.has(value));
    const outputs = all.slice(0, last + 1);
    const nameOf = (value: Value | null) => (value ? (this.#renamed.get(value) ?? value.name) : '');
    return { name, type, domain, inputs: inputs.map(nameOf), outputs: outputs.map(nameOf), attributes };
  }

  #value(name: string, type: DataType, shape: Shape, constant: Tensor | null): Value {
    return { graph: this, name, type, shape, constant };
  }

  #owned(value: Value, where: string): void {
    if (value.graph !== this)
      throw new GraphError(
        `${where}: "${value.name}" (${describe(value.type, value.shape)}) belongs to graph "${value.graph.name}", ` +
          `expected a value of "${this.name}"`,
      );
  }

  #fresh(type: string): string {
    const stem = `${this.#scope}${type}`;
    let name: string;
    do {
      const count = this.#counts.get(stem) ?? 0;
      this.#counts.set(stem, count + 1);
      name = `${stem}_${count}`;
    } while (this.#taken.has(name));
    return name;
  }

  #take(name: string): string {
    if (name === '') throw new GraphError(`graph "${this.name}": a value needs a name`);
    if (this.#taken.has(name))
      throw new GraphError(`graph "${this.name}": the name "${name}" is taken; choose another`);
    this.#taken.add(name);
    return name;
  }
}

/** The operator set that all operations of a graph and of the graphs inside it exist in. */
function opsetOf({ nodes }: Graph): number {
  const inner = nodes.flatMap(({ attributes }) => [...attributes.values()]);
  const bodies = inner.flatMap((attribute) => (attribute.type === 'GRAPH' ? [opsetOf(attribute.value)] : []));
  return Math.max(OPSET, ...bodies, ...nodes.map(({ type, domain }) => (domain === '' ? (SINCE[type] ?? 0) : 0)));
}

/** Every value differently, -0 and 0 too. */
function spell(value: unknown): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

function infoOf({ name, type, shape }: Value): ValueInfo {
  return { name, type: { kind: 'TENSOR', type, shape } };
}
