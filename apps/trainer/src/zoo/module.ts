/**
 * How a network is written down: one function from input to logits that asks for each parameter at the line that uses
 * it. A dry pass over a scratch graph collects what it asks for, and every later pass hands out values in the same
 * order, as Haiku's `transform` does (https://github.com/google-deepmind/dm-haiku). Knows no layer.
 */
import type { Architecture } from '../contract/run-spec.ts';
import { GraphBuilder, type Value } from '../ir/builder.ts';
import { GraphError } from '../ir/errors.ts';
import * as op from '../ir/ops.ts';
import { sameShape } from '../ir/shapes.ts';
import type { Random } from '../random.ts';
import {
  type Buffer,
  type Mode,
  type Network,
  type NetworkInput,
  networkOf,
  type Parameter,
  rowShape,
  rowType,
} from './network.ts';

/** How one initial value is drawn. */
export type Initialiser = (random: Random) => number;

/** What layers ask for while they build. */
export interface Module {
  readonly mode: Mode;
  /** A trained tensor. Weight decay applies to matrices and kernels, not to biases, gains and single vectors. */
  parameter(name: string, shape: readonly number[], initialiser: Initialiser): Value;
  /** A tensor of state that training updates without gradients; it starts with one value everywhere. */
  buffer(name: string, shape: readonly number[], initial: number): Value;
  /** What a buffer is after this step. */
  update(buffer: Value, next: Value): void;
  /** A seed for one layer that draws numbers, another one each step; null where nothing is trained. */
  seed(): Value | null;
  /** Names what `build` makes: "stage0.conv.weight", "stage0/conv/Conv_0". */
  scope<T>(name: string, build: () => T): T;
}

/** A network as its author writes it. */
export type Forward = (m: Module, x: Value) => Value;

/** What a network is for. */
export interface Sizes {
  readonly input: NetworkInput;
  readonly outputs: number;
}

/** The network that a function of modules describes. */
export function network(architecture: Architecture, { input, outputs }: Sizes, forward: Forward): Network {
  const g = new GraphBuilder('dry');
  const dry = new Pass(g, { kind: 'INFERENCE' }, { parameters: null, buffers: null });
  forward(dry, g.input('x', rowType(input), ['N', ...rowShape(input)]));
  const { parameters, buffers } = dry;
  return networkOf({
    architecture,
    input,
    outputs,
    parameters,
    buffers,
    forward(x, parameterValues, bufferValues, mode) {
      const pass = new Pass(x.graph, mode, { parameters: parameterValues, buffers: bufferValues });
      const logits = forward(pass, x);
      return { logits, buffers: pass.next() };
    },
  });
}

/** The values that a pass hands out; null: it makes them up and takes notes. */
interface Supply {
  readonly parameters: readonly Value[] | null;
  readonly buffers: readonly Value[] | null;
}

class Pass implements Module {
  readonly mode: Mode;
  readonly parameters: Parameter[] = [];
  readonly buffers: Buffer[] = [];
  readonly #graph: GraphBuilder;
  readonly #supply: Supply;
  readonly #states: Value[] = [];
  readonly #updates = new Map<Value, Value>();
  readonly #scopes: string[] = [];
  #seeds = 0;

  constructor(graph: GraphBuilder, mode: Mode, supply: Supply) {
    this.#graph = graph;
    this.mode = mode;
    this.#supply = supply;
  }

  parameter(name: string, shape: readonly number[], draw: Initialiser): Value {
    const parameter = { name: this.#path(name), shape, decays: shape.length > 1, draw };
    this.parameters.push(parameter);
    return this.#supplied(parameter, this.#supply.parameters, this.parameters.length - 1);
  }

  buffer(name: string, shape: readonly number[], initial: number): Value {
    const buffer = { name: this.#path(name), shape, initial };
    this.buffers.push(buffer);
    const value = this.#supplied(buffer, this.#supply.buffers, this.buffers.length - 1);
    this.#states.push(value);
    return value;
  }

  update(buffer: Value, next: Value): void {
    this.#updates.set(buffer, next);
  }

  seed(): Value | null {
    if (this.mode.kind === 'INFERENCE') return null;
    // Far apart, so that a layer's seeds over the steps do not meet another layer's: 2^32 / golden ratio, as signed.
    const site = Math.imul(this.#seeds++, 0x9e3779b9);
    return site === 0 ? this.mode.seed : op.Add(this.mode.seed, site);
  }

  scope<T>(name: string, build: () => T): T {
    this.#scopes.push(name);
    try {
      return this.#graph.scope(name, build);
    } finally {
      this.#scopes.pop();
    }
  }

  /** The buffers after the pass, in the order in which they were asked for. */
  next(): Value[] {
    return this.#states.map((value) => this.#updates.get(value) ?? value);
  }

  #path(name: string): string {
    return [...this.#scopes, name].join('.');
  }

  #supplied({ name, shape }: Pick<Parameter, 'name' | 'shape'>, values: readonly Value[] | null, index: number): Value {
    if (values === null) return this.#graph.input(name, 'FLOAT', shape);
    const value = values[index];
    if (value && sameShape(value.shape, shape)) return value;
    const got = value ? `[${value.shape}]` : `only ${values.length} values`;
    throw new GraphError(`${this.#graph.place('Identity')}: "${name}" must be [${shape}]; got ${got}`);
  }
}
