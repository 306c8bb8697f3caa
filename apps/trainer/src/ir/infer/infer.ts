/**
 * Types and shapes of every value of a decoded model, from its inputs, constants and attributes. Pure: nothing is run.
 * What cannot be known stays unknown; what contradicts itself is refused by node, input and expectation.
 */
import { OnnxError } from '../errors.ts';
import type { Attribute, Graph, LocalFunction, Model, Node, Tensor, ValueInfo, ValueType } from '../types.ts';
import { Call } from './call.ts';
import { both, type Fact, fact, factOf, spell, tensor, UNKNOWN } from './fact.ts';
import { ruleOf } from './rules.ts';

/**
 * Nodes, inputs and outputs looked at in all, bodies of local functions once per call: calls of calls could be
 * exponentially many. Known elements count too.
 */
const MOST_WORK = 2_000_000;
/** Calls within calls of local functions. */
const MOST_CALLS = 32;

/** Names to facts; an inner graph sees the outer one's. */
class Scope {
  readonly facts = new Map<string, Fact>();
  readonly #outer: Scope | null;

  constructor(outer: Scope | null) {
    this.#outer = outer;
  }

  /** What is known under this name, here or further out. */
  get(name: string): Fact {
    return this.facts.get(name) ?? this.#outer?.get(name) ?? UNKNOWN;
  }
}

/** What gives the nodes of a body their meaning. */
interface Body {
  readonly opsets: ReadonlyMap<string, number>;
  /** Attributes of the call, which a function's nodes may refer to. */
  readonly attributes: ReadonlyMap<string, Attribute>;
  readonly where: string;
  readonly calls: number;
}

/**
 * What is known of every value of the main graph, by name. `given` are inputs whose contents are known: their shapes,
 * and the lengths and axes in them, then count.
 * @throws OnnxError where the types or shapes of a node's inputs cannot be right.
 */
export function inferTypes(model: Model, given: ReadonlyMap<string, Tensor> = new Map()): ReadonlyMap<string, Fact> {
  const inference = new Inference(model);
  const inputs = model.graph.inputs.map(({ name }) => {
    const value = given.get(name);
    return value ? factOf(value) : UNKNOWN;
  });
  return inference.main(inputs);
}

/** Key of a local function, which a node names by the same three. */
export function functionKey({
  domain,
  name,
  overload = '',
}: Pick<LocalFunction, 'domain' | 'name' | 'overload'>): string {
  return JSON.stringify([domain, name, overload]);
}

class Inference {
  readonly #model: Model;
  readonly #functions: ReadonlyMap<string, LocalFunction>;
  #work = 0;

  constructor(model: Model) {
    this.#model = model;
    this.#functions = new Map(model.functions.map((local) => [functionKey(local), local]));
  }

  main(inputs: readonly Fact[]): ReadonlyMap<string, Fact> {
    const opsets = new Map(this.#model.opsets.map(({ domain, version }) => [domain, version]));
    const scope = new Scope(null);
    this.#graph(this.#model.graph, inputs, scope, { opsets, attributes: new Map(), where: '', calls: 0 });
    return scope.facts;
  }

  /** Fills the scope; returns the facts of the outputs. */
  #graph(graph: Graph, inputs: readonly Fact[], scope: Scope, body: Body): readonly Fact[] {
    for (const { values, dims } of graph.sparseInitializers) scope.facts.set(values.name, tensor(values.type, dims));
    const declared = new Map<string, ValueType | null>();
    const names = new Set<string>();
    graph.inputs.forEach((input, index) => {
      names.add(input.name);
      const known = inputs[index] ?? UNKNOWN;
      expectDeclared(known, input, `${body.where}graph "${graph.name}"`);
      scope.facts.set(input.name, { type: both(known.type, input.type), values: known.values });
    });
    for (const constant of graph.initializers) {
      const known = factOf(constant);
      // Since IR version 4 an initializer that is also an input is a default, which a caller may replace.
      const fixed = !names.has(constant.name) || this.#model.irVersion < 4;
      scope.facts.set(constant.name, fixed ? known : fact(known.type));
    }
    for (const value of [...graph.values, ...graph.outputs]) declared.set(value.name, value.type);
    this.#nodesOf(graph.nodes, scope, declared, body);
    return graph.outputs.map((output) => scope.get(output.name));
  }

  #nodesOf(nodes: readonly Node[], scope: Scope, declared: ReadonlyMap<string, ValueType | null>, body: Body): void {
    nodes.forEach((node, index) => {
      const where = `${body.where}${place(node, index)}`;
      const facts = this.#node(node, where, scope, body);
      this.#work += facts.reduce((work, { values }) => work + (values?.length ?? 0) / 8, 1);
      this.#work += node.inputs.length + node.outputs.length;
      if (this.#work > MOST_WORK) throw new OnnxError(`${where}: calls of local functions make the model too large`);
      node.outputs.forEach((name, at) => {
        if (name === '') return;
        const known = facts[at] ?? UNKNOWN;
        const type = declared.get(name) ?? null;
        expectDeclared(known, { name, type }, where);
        scope.facts.set(name, { type: both(known.type, type), values: known.values });
      });
    });
  }

  #node(node: Node, where: string, scope: Scope, body: Body): readonly Fact[] {
    const inputs = node.inputs.map((name) => (name === '' ? null : scope.get(name)));
    const resolved = resolve(node, body.attributes);
    const key = functionKey({ ...node, name: node.type });
    const local = this.#functions.get(key);
    if (local) return this.#call(local, resolved, inputs, where, body);
    const rule = ruleOf(node.domain, node.type);
    if (!rule) return [];
    const inner = { ...body, where: `${where} > ` };
    const inferGraph = (graph: Graph, facts: readonly Fact[]) => this.#graph(graph, facts, new Scope(scope), inner);
    const facts = rule(new Call(resolved, where, body.opsets.get(node.domain) ?? 1, inputs, inferGraph));
    return 'type' in facts ? [facts] : facts;
  }

  #call(
    local: LocalFunction,
    call: Node,
    inputs: readonly (Fact | null)[],
    where: string,
    body: Body,
  ): readonly Fact[] {
    if (body.calls >= MOST_CALLS) throw new OnnxError(`${where}: calls of local functions are nested too deeply`);
    const scope = new Scope(null);
    local.inputs.forEach((name, index) => {
      scope.facts.set(name, inputs[index] ?? UNKNOWN);
    });
    const opsets = new Map(local.opsets.map(({ domain, version }) => [domain, version]));
    const attributes = new Map([...local.defaults, ...call.attributes]);
    const declared = new Map(local.values.map(({ name, type }) => [name, type]));
    this.#nodesOf(local.nodes, scope, declared, { opsets, attributes, where: `${where} > `, calls: body.calls + 1 });
    return local.outputs.map((name) => scope.get(name));
  }
}

/** The node with references replaced by the caller's attributes; what the caller left out stays left out. */
function resolve(node: Node, attributes: ReadonlyMap<string, Attribute>): Node {
  if (![...node.attributes.values()].some(({ type }) => type === 'REFERENCE')) return node;
  const resolved = [...node.attributes].flatMap(([name, attribute]): [string, Attribute][] => {
    if (attribute.type !== 'REFERENCE') return [[name, attribute]];
    const value = attributes.get(attribute.value);
    return value ? [[name, value]] : [];
  });
  return { ...node, attributes: new Map(resolved) };
}

/** 'node 3 (Conv "conv1")': a name is not always there. */
export function place({ type, name }: Node, index: number): string {
  return `node ${index} (${type}${name ? ` "${name}"` : ''})`;
}

/** A declared shape may be out of date, but a declared element type decides which code runs. */
function expectDeclared(known: Fact, { name, type }: ValueInfo, where: string): void {
  if (!known.type || !type) return;
  const differs =
    known.type.kind !== type.kind ||
    (known.type.kind === 'TENSOR' &&
      type.kind === 'TENSOR' &&
      (known.type.type ?? type.type) !== (type.type ?? known.type.type));
  if (differs) throw new OnnxError(`${where}: "${name}" is ${spell(known.type)}, declared as ${spell(type)}`);
}
