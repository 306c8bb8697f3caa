/** A batch of a fixed size -> of any size, as far as a graph shows it; whether it is true, a run must say. Pure. */
import { numbersOf } from '../ir/tensor.ts';
import type { Attribute, Dim, Graph, Model, Node, Tensor, ValueInfo } from '../ir/types.ts';
import { constantOf, fresh, requiredInputs } from './nodes.ts';
import { shapeless } from './published.ts';

/** A guess at the model with a free batch, and the size that it was written for. */
export interface Freed {
  readonly model: Model;
  readonly batch: number;
}

/** Null where no fixed batch is declared. */
export function freedBatch(model: Model): Freed | null {
  const batch = batchOf(requiredInputs(model));
  if (batch === null) return null;
  const { graph } = model;
  const first = (info: ValueInfo, dim: Dim): ValueInfo => {
    const { type } = info;
    if (type?.kind !== 'TENSOR' || !type.shape || type.shape.length === 0) return info;
    return { ...info, type: { ...type, shape: [dim, ...type.shape.slice(1)] } };
  };
  const required = new Set(requiredInputs(model).map(({ name }) => name));
  const { nodes, added } = freedReshapes(graph, batch);
  return {
    batch,
    model: {
      ...model,
      irVersion: Math.max(4, model.irVersion),
      graph: {
        ...graph,
        nodes,
        initializers: [...graph.initializers, ...added],
        inputs: graph.inputs.map((info) => (required.has(info.name) ? first(info, 'N') : info)),
        outputs: graph.outputs.map(shapeless),
        values: [],
      },
    },
  };
}

/** The length of the first axis of every input, if it is one number. */
function batchOf(inputs: readonly ValueInfo[]): number | null {
  const firsts = inputs.map(({ type }) => (type?.kind === 'TENSOR' ? type.shape?.[0] : undefined));
  const [batch] = firsts;
  return typeof batch === 'number' && batch > 0 && firsts.every((dim) => dim === batch) ? batch : null;
}

/** Reshapes to [batch, ...] keep the first axis instead: exporters write its size down. */
function freedReshapes(graph: Graph, batch: number): { nodes: Node[]; added: Tensor[] } {
  const known = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
  for (const { type, outputs, attributes } of graph.nodes) {
    const value = type === 'Constant' ? attributes.get('value') : undefined;
    if (value?.type === 'TENSOR') known.set(outputs[0] ?? '', value.value);
  }
  const name = fresh(graph);
  const added: Tensor[] = [];
  const nodes = graph.nodes.map((node) => {
    const [data = '', shape = ''] = node.inputs;
    const constant = known.get(shape);
    if (node.type !== 'Reshape' || node.domain !== '' || constant?.type !== 'INT64' || known.has(data)) return node;
    const [first, ...rest] = numbersOf(constant);
    if (first !== batch || rest.length === 0) return node;
    // 0 keeps the axis of the data; where another axis is open already, that is the only way.
    const free = rest.includes(-1) ? 0 : -1;
    const freed = constantOf(name(`${shape}_free`), 'INT64', constant.dims, [free, ...rest]);
    added.push(freed);
    return { ...node, inputs: [data, freed.name], attributes: new Map<string, Attribute>(node.attributes) };
  });
  return { nodes, added };
}
