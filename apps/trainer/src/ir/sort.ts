/**
 * Nodes in topological order. The standard asks files for it, but some exporters never kept to it and runtimes sort for
 * themselves: whoever takes models from outside sorts first and then checks.
 */
import type { Attribute, Graph, Model, Node } from './types.ts';

/** The model with every graph's nodes sorted; unchanged if all were. Nodes of a cycle stay where they were. */
export function sorted(model: Model): Model {
  const graph = sortGraph(model.graph);
  const functions = model.functions.map((local) => ({ ...local, nodes: sortNodes(local.nodes) }));
  return { ...model, graph, functions };
}

function sortGraph(graph: Graph): Graph {
  return { ...graph, nodes: sortNodes(graph.nodes) };
}

/** Each node as soon as all that it waits for has run, else in the order of the file. */
function sortNodes(unsorted: readonly Node[]): readonly Node[] {
  const nodes = unsorted.map(withSortedSubgraphs);
  const makers = new Map(nodes.flatMap((node, index) => node.outputs.map((name) => [name, index] as const)));
  const users = new Map<number, number[]>();
  const waiting = nodes.map((node, index) => {
    const needed = new Set([...namesUsed(node)].flatMap((name) => (name === '' ? [] : (makers.get(name) ?? []))));
    needed.delete(index);
    for (const maker of needed) {
      const list = users.get(maker);
      if (list) list.push(index);
      else users.set(maker, [index]);
    }
    return needed.size;
  });
  const order: number[] = [];
  const placed = new Set<number>();
  for (const first of nodes.keys()) {
    const ready = [first];
    for (let index = ready.pop(); index !== undefined; index = ready.pop()) {
      if (placed.has(index) || waiting[index] !== 0) continue;
      placed.add(index);
      order.push(index);
      for (const user of users.get(index) ?? []) {
        waiting[user] = (waiting[user] ?? 1) - 1;
        if (user < first) ready.push(user); // it stood before `first` in the file and waited for this
      }
    }
  }
  const left = [...nodes.keys()].filter((index) => !placed.has(index));
  return [...order, ...left].flatMap((index) => nodes[index] ?? []);
}

/** Names that a node needs: its inputs, and whatever its subgraphs take from outside (their own names do no harm). */
function* namesUsed(node: Node): Generator<string> {
  yield* node.inputs;
  for (const attribute of node.attributes.values())
    for (const graph of graphsOf(attribute)) {
      for (const inner of graph.nodes) yield* namesUsed(inner);
      for (const { name } of graph.outputs) yield name;
    }
}

/** The graphs that an attribute holds. */
export function graphsOf(attribute: Attribute): readonly Graph[] {
  return attribute.type === 'GRAPH' ? [attribute.value] : attribute.type === 'GRAPHS' ? attribute.value : [];
}

function withSortedSubgraphs(node: Node): Node {
  if (![...node.attributes.values()].some((attribute) => graphsOf(attribute).length > 0)) return node;
  const attributes = [...node.attributes].map(([name, attribute]): [string, Attribute] => {
    if (attribute.type === 'GRAPH') return [name, { type: 'GRAPH', value: sortGraph(attribute.value) }];
    if (attribute.type === 'GRAPHS') return [name, { type: 'GRAPHS', value: attribute.value.map(sortGraph) }];
    return [name, attribute];
  });
  return { ...node, attributes: new Map(attributes) };
}
