/**
 * An imported model inside a graph of raw columns, as trained artifacts are: DOUBLE [N,columns] with NaN for missing
 * (or one FLOAT [N,...shape]) in, `probabilities` [N,C] or `value` [N] out. Only operators that mean the same in every
 * opset from 7 on, because the model keeps its own. Pure.
 */
import type { ManifestInput } from '@anneal/edge/contract';
import { DATA_TYPES, type DataType, type Graph, type Model, type Node, type Tensor } from '../ir/types.ts';
import { type Plan, tailOf } from './columns.ts';
import { constantOf, nodeOf, withStandard, withSubgraphs } from './nodes.ts';

const DATA_TYPE: Readonly<Record<string, DataType>> = {
  float32: 'FLOAT',
  float64: 'DOUBLE',
  float16: 'FLOAT16',
};

/** The wrapped model and the inputs that the manifest names. */
export function wrapped(model: Model, plan: Plan): { model: Model; inputs: ManifestInput[] } {
  const columns = plan.columns.filter((column) => column.used);
  const input = inputOf(columns);
  const free = (stem: string): string => (input.name.startsWith(stem) ? free(`_${stem}`) : stem);
  const [inside, around] = [free('model/'), free('rows/')];
  const inner = prefixed(model.graph, inside);
  const w = new Wrapper(around);
  const read = 'columns' in input ? w.numbers(input, plan) : w.tensor(input, plan);
  w.add('Identity', [read], `${inside}${plan.input.name}`);
  const before = w.take();
  w.answer(`${inside}${plan.output.name}`, plan);
  const after = w.take();
  const graph: Graph = {
    ...inner,
    name: 'anneal',
    nodes: [...before, ...inner.nodes, ...after],
    initializers: [...inner.initializers, ...w.constants],
    inputs: [
      'columns' in input
        ? { name: input.name, type: { kind: 'TENSOR', type: 'DOUBLE', shape: ['N', input.columns.length] } }
        : { name: input.name, type: { kind: 'TENSOR', type: 'FLOAT', shape: ['N', ...input.shape] } },
      ...inner.inputs.filter(({ name }) => name !== `${inside}${plan.input.name}`),
    ],
    outputs: [
      plan.classes
        ? { name: 'probabilities', type: { kind: 'TENSOR', type: 'FLOAT', shape: ['N', plan.classes.length] } }
        : { name: 'value', type: { kind: 'TENSOR', type: 'FLOAT', shape: ['N'] } },
    ],
    values: [],
  };
  return { model: { ...withStandard(model), irVersion: Math.max(4, model.irVersion), graph }, inputs: [input] };
}

type WideInput = Extract<ManifestInput, { columns: string[] }>;
type TensorInput = Extract<ManifestInput, { type: 'float32' }>;

/** A lone tensor, or all columns side by side. */
function inputOf(columns: Plan['columns']): WideInput | TensorInput {
  const [only] = columns;
  if (!only?.shape) return { name: 'numbers', columns: columns.map(({ name }) => name), type: 'double' };
  const name = ['probabilities', 'value'].includes(only.name) ? `${only.name}_column` : only.name;
  return { name, column: only.name, type: 'float32', shape: only.shape };
}

/** Nodes and constants around the model. */
class Wrapper {
  readonly constants: Tensor[] = [];
  readonly #around: string;
  #nodes: Node[] = [];
  #count = 0;

  constructor(around: string) {
    this.#around = around;
  }

  /** The nodes since the last time. */
  take(): Node[] {
    const nodes = this.#nodes;
    this.#nodes = [];
    return nodes;
  }

  add(
    type: string,
    inputs: readonly string[],
    output = `${this.#around}${type}_${this.#count++}`,
    attributes: Parameters<typeof nodeOf>[3] = {},
  ): string {
    this.#nodes.push(nodeOf(type, inputs, output, attributes));
    return output;
  }

  /** Columns side by side, standardised in double, cast last. */
  numbers({ name, columns }: WideInput, { input, mean, scale }: Plan): string {
    let x = name;
    if (mean) x = this.#append('Sub', [x, this.#constant('DOUBLE', [mean.length], mean)]);
    if (scale) x = this.#append('Div', [x, this.#constant('DOUBLE', [scale.length], scale)]);
    x = this.#cast(x, typeOf(input.type));
    const tail = input.shape.slice(1);
    return tail.length === 1 ? x : this.#reshape(x, [-1, ...tail.map((size) => (size === -1 ? columns.length : size))]);
  }

  /** One tensor, standardised by all or by index of its first axis. */
  tensor({ name, shape }: TensorInput, { input, mean, scale }: Plan): string {
    const factors = (values: readonly number[]) =>
      this.#constant('FLOAT', values.length === 1 ? [1] : [values.length, ...shape.slice(1).map(() => 1)], values);
    let x = name;
    if (mean) x = this.#append('Sub', [x, factors(mean)]);
    if (scale) x = this.#append('Div', [x, factors(scale)]);
    if (input.type !== 'float32') x = this.#cast(x, typeOf(input.type));
    const tail = input.shape.slice(1);
    return tail.length === shape.length ? x : this.#reshape(x, [-1, ...tail]);
  }

  /** The model's numbers as `probabilities` or `value`. */
  answer(from: string, { output, classes, activation }: Plan): void {
    const x = output.type === 'float32' ? from : this.#cast(from, 'FLOAT');
    if (!classes) {
      this.add('Reshape', [x, this.#constant('INT64', [1], [-1])], 'value');
      return;
    }
    const scores = this.#reshape(x, [-1, tailOf(output)]);
    if (activation === 'SOFTMAX') {
      this.add('Softmax', [scores], 'probabilities', { axis: { type: 'INT', value: 1n } });
      return;
    }
    const p = activation === 'SIGMOID' ? this.#append('Sigmoid', [scores]) : scores;
    if (tailOf(output) === classes.length) {
      this.add('Identity', [p], 'probabilities');
      return;
    }
    const rest = this.#append('Sub', [this.#constant('FLOAT', [1], [1]), p]);
    this.add('Concat', [rest, p], 'probabilities', { axis: { type: 'INT', value: 1n } });
  }

  #append(type: string, inputs: readonly string[], attributes: Parameters<typeof nodeOf>[3] = {}): string {
    return this.add(type, inputs, undefined, attributes);
  }

  #cast(x: string, to: DataType): string {
    return this.#append('Cast', [x], { to: { type: 'INT', value: BigInt(DATA_TYPES[to].number) } });
  }

  #reshape(x: string, shape: readonly number[]): string {
    return this.#append('Reshape', [x, this.#constant('INT64', [shape.length], shape)]);
  }

  #constant(type: DataType, dims: readonly number[], values: readonly number[]): string {
    const name = `${this.#around}constant_${this.constants.length}`;
    this.constants.push(constantOf(name, type, dims, values));
    return name;
  }
}

function typeOf(type: string): DataType {
  return DATA_TYPE[type] ?? (type.toUpperCase() as DataType);
}

/** The graph with `prefix` in front of every value's name: no name of it can then meet one from outside. */
function prefixed(graph: Graph, prefix: string): Graph {
  const named = (name: string) => (name === '' ? '' : `${prefix}${name}`);
  const all = <T extends { readonly name: string }>(list: readonly T[]) =>
    list.map((item) => ({ ...item, name: named(item.name) }));
  return {
    ...graph,
    nodes: graph.nodes.map((node) => ({
      ...withSubgraphs(node, (inner) => prefixed(inner, prefix)),
      inputs: node.inputs.map(named),
      outputs: node.outputs.map(named),
    })),
    initializers: all(graph.initializers),
    sparseInitializers: graph.sparseInitializers.map((sparse) => ({
      ...sparse,
      values: { ...sparse.values, name: named(sparse.values.name) },
    })),
    inputs: all(graph.inputs),
    outputs: all(graph.outputs),
    values: all(graph.values),
  };
}
