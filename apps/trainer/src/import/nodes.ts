/** Small things that every transform of an imported graph needs. Pure. */
import { graphsOf } from '../ir/sort.ts';
import { tensorOf, type Values } from '../ir/tensor.ts';
import type { Attribute, DataType, Graph, Model, Node, Tensor, ValueInfo } from '../ir/types.ts';

/** A model after a transform, and what was done, for people. */
export interface Changed {
  readonly model: Model;
  readonly changes: readonly string[];
}

/** All nodes of a graph, those in subgraphs too. */
export function* allNodes(graph: Graph): Generator<Node> {
  for (const node of graph.nodes) {
    yield node;
    for (const attribute of node.attributes.values()) for (const inner of graphsOf(attribute)) yield* allNodes(inner);
  }
}

/** A node without a name of its own. */
export function nodeOf(
  type: string,
  inputs: readonly string[],
  output: string,
  attributes: Readonly<Record<string, Attribute>> = {},
): Node {
  return { name: '', type, domain: '', inputs, outputs: [output], attributes: new Map(Object.entries(attributes)) };
}

/** A constant to put among the initializers. */
export function constantOf(name: string, type: DataType, dims: readonly number[], values: Values): Tensor {
  return tensorOf(name, type, dims, values);
}

/** The version of ai.onnx that the model is written in; 0 where it uses none of its operators. */
export function opsetOf(model: Model): number {
  return model.opsets.find(({ domain }) => domain === '')?.version ?? 0;
}

/** What models of ai.onnx.ml alone get when they need an operator of ai.onnx. */
const ADDED_OPSET = 9;

/** The model with some version of ai.onnx. */
export function withStandard(model: Model): Model {
  if (opsetOf(model) > 0) return model;
  return { ...model, opsets: [...model.opsets, { domain: '', version: ADDED_OPSET }] };
}

/** Inputs that a caller must give: an initializer of the same name makes an input a default. */
export function requiredInputs({ graph }: Model): readonly ValueInfo[] {
  const given = new Set(graph.initializers.map(({ name }) => name));
  return graph.inputs.filter(({ name }) => !given.has(name));
}

/** The graph with every subgraph's and its own nodes mapped. */
export function mapNodes(graph: Graph, map: (node: Node) => readonly Node[]): Graph {
  return { ...graph, nodes: graph.nodes.flatMap((node) => map(withSubgraphs(node, (inner) => mapNodes(inner, map)))) };
}

/** The node with its subgraphs replaced. */
export function withSubgraphs(node: Node, map: (graph: Graph) => Graph): Node {
  if (![...node.attributes.values()].some((attribute) => graphsOf(attribute).length > 0)) return node;
  const attributes = [...node.attributes].map(([name, attribute]): [string, Attribute] => {
    if (attribute.type === 'GRAPH') return [name, { type: 'GRAPH', value: map(attribute.value) }];
    if (attribute.type === 'GRAPHS') return [name, { type: 'GRAPHS', value: attribute.value.map(map) }];
    return [name, attribute];
  });
  return { ...node, attributes: new Map(attributes) };
}

/** Every name of a value, in subgraphs too. */
export function namesOf(graph: Graph): Set<string> {
  const names = new Set<string>();
  for (const { name } of [...graph.inputs, ...graph.outputs, ...graph.initializers]) names.add(name);
  for (const { inputs, outputs } of allNodes(graph)) for (const name of [...inputs, ...outputs]) names.add(name);
  return names;
}

/** Makes names that the graph does not have yet. */
export function fresh(graph: Graph): (stem: string) => string {
  const taken = namesOf(graph);
  return (stem) => {
    let name = stem;
    for (let n = 1; taken.has(name); n++) name = `${stem}_${n}`;
    taken.add(name);
    return name;
  };
}
