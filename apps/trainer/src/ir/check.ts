/**
 * Whether a decoded model makes sense: operators that exist, in a version that we know, with as many inputs and outputs
 * as they take, of values that exist before they are used, of types that fit. Refusals name node, input, expectation.
 */
import { OnnxError } from './errors.ts';
import { functionKey, inferTypes, place } from './infer/infer.ts';
import { graphsOf } from './sort.ts';
import { definitionAt, definitionsOf, newestOpset } from './standard.ts';
import type { Graph, LocalFunction, Model, Node, Opset } from './types.ts';

/** The newest file format, which came with opset 26. */
const NEWEST_IR = 13;

/** Operators that this version of ai.onnx defined anew are not run in their older meaning by any runtime of ours. */
const OLDEST_RUN = 7;

/**
 * Checks a model. Operators of `foreign` domains are taken as they are: only their values' names are looked at.
 * @throws OnnxError for the first thing that is wrong.
 */
export function checkModel(model: Model, foreign: ReadonlySet<string> = new Set()): void {
  if (model.irVersion < 1 || model.irVersion > NEWEST_IR)
    throw new OnnxError(`model: ir_version must be in 1..${NEWEST_IR}; it is ${model.irVersion}`);
  const functions = new Map<string, LocalFunction>();
  for (const local of model.functions) {
    const key = functionKey(local);
    if (functions.has(key)) throw new OnnxError(`model: the function ${nameOf(local)} is defined twice`);
    functions.set(key, local);
  }
  const opsets = checkOpsets(model.opsets, 'model');
  for (const local of model.functions) checkLocalFunction(local, functions, foreign);
  checkCalls(functions);
  checkGraph(model.graph, new Names(null), { opsets, functions, foreign, where: '', attributes: null });
  inferTypes(model);
}

/** Where nodes are, and what they may refer to. */
interface Place {
  readonly opsets: ReadonlyMap<string, number>;
  readonly functions: ReadonlyMap<string, LocalFunction>;
  /** Domains whose operators are not looked at. */
  readonly foreign: ReadonlySet<string>;
  readonly where: string;
  /** Attributes that a function's body may refer to; null outside of functions. */
  readonly attributes: ReadonlySet<string> | null;
}

/** Names of values; an inner graph sees the outer one's. */
class Names {
  readonly own = new Set<string>();
  readonly #outer: Names | null;

  constructor(outer: Names | null) {
    this.#outer = outer;
  }

  has(name: string): boolean {
    return this.own.has(name) || (this.#outer?.has(name) ?? false);
  }
}

function checkOpsets(opsets: readonly Opset[], where: string): ReadonlyMap<string, number> {
  if (opsets.length === 0) throw new OnnxError(`${where}: no opset_import: which version of the operators is meant?`);
  const versions = new Map<string, number>();
  for (const { domain, version } of opsets) {
    const newest = newestOpset(domain);
    if (newest !== undefined && (version < 1 || version > newest))
      throw new OnnxError(
        `${where}: opset_import "${domain || 'ai.onnx'}" must be in 1..${newest}; it is ${version}. ` +
          `Export the model for opset ${newest} or older`,
      );
    if ((versions.get(domain) ?? version) !== version)
      throw new OnnxError(`${where}: opset_import "${domain || 'ai.onnx'}" has two versions`);
    versions.set(domain, version);
  }
  return versions;
}

function checkLocalFunction(
  local: LocalFunction,
  functions: ReadonlyMap<string, LocalFunction>,
  foreign: ReadonlySet<string>,
): void {
  const where = `function ${nameOf(local)}`;
  const names = new Names(null);
  for (const name of local.inputs) define(names, name, where, 'input');
  const opsets = checkOpsets(local.opsets, where);
  const attributes = new Set([...local.attributes, ...local.defaults.keys()]);
  checkNodes(local.nodes, names, { opsets, functions, foreign, where: `${where} > `, attributes });
  for (const name of local.outputs)
    if (!names.has(name)) throw new OnnxError(`${where}: no node makes the output "${name}"`);
}

/** Refuses functions that call each other in a circle. */
function checkCalls(functions: ReadonlyMap<string, LocalFunction>): void {
  const state = new Map<string, 'OPEN' | 'DONE'>();
  const visit = (key: string, path: readonly string[]): void => {
    const local = functions.get(key);
    if (!local || state.get(key) === 'DONE') return;
    const way = [...path, nameOf(local)];
    if (state.get(key) === 'OPEN') throw new OnnxError(`model: functions call each other: ${way.join(' -> ')}`);
    if (path.length > 32) throw new OnnxError(`model: functions call each other too deeply: ${way.join(' -> ')}`);
    state.set(key, 'OPEN');
    for (const node of nodesOf(local.nodes)) visit(functionKey({ ...node, name: node.type }), way);
    state.set(key, 'DONE');
  };
  for (const key of functions.keys()) visit(key, []);
}

/** All nodes, those in subgraphs too. */
function* nodesOf(nodes: readonly Node[]): Generator<Node> {
  for (const node of nodes) {
    yield node;
    for (const attribute of node.attributes.values())
      for (const graph of graphsOf(attribute)) yield* nodesOf(graph.nodes);
  }
}

function checkGraph(graph: Graph, names: Names, at: Place): void {
  const where = `${at.where}graph "${graph.name}"`;
  for (const { name } of graph.inputs) define(names, name, where, 'input');
  const constants = new Set<string>();
  for (const { name } of [...graph.initializers, ...graph.sparseInitializers.map(({ values }) => values)]) {
    if (constants.has(name)) throw new OnnxError(`${where}: the initializer "${name}" occurs twice`);
    constants.add(name);
    // An initializer may be an input too: then it is that input's default.
    if (!names.own.has(name)) define(names, name, where, 'initializer');
  }
  checkNodes(graph.nodes, names, at);
  for (const { name } of graph.outputs)
    if (!names.has(name))
      throw new OnnxError(`${where}: the output "${name}" is made by no node and is no input or initializer`);
}

function define(names: Names, name: string, where: string, what: string): void {
  if (name === '') throw new OnnxError(`${where}: an ${what} without a name`);
  if (names.own.has(name)) throw new OnnxError(`${where}: the ${what} "${name}" is defined twice`);
  names.own.add(name);
}

function checkNodes(nodes: readonly Node[], names: Names, at: Place): void {
  nodes.forEach((node, index) => {
    const where = `${at.where}${place(node, index)}`;
    checkOperator(node, where, at);
    node.inputs.forEach((name, position) => {
      if (name !== '' && !names.has(name))
        throw new OnnxError(`${where}: input ${position} "${name}" ${missing(nodes, index, name)}`);
    });
    for (const [name, attribute] of node.attributes) {
      if (attribute.type === 'REFERENCE' && !at.attributes?.has(attribute.value))
        throw new OnnxError(
          `${where}: attribute "${name}" refers to "${attribute.value}", ` +
            (at.attributes ? 'which the function does not declare' : 'but stands outside of a function'),
        );
      for (const graph of graphsOf(attribute)) checkGraph(graph, new Names(names), { ...at, where: `${where} > ` });
    }
    for (const name of node.outputs) if (name !== '') define(names, name, where, 'output');
  });
}

function checkOperator(node: Node, where: string, at: Place): void {
  const local = at.functions.get(functionKey({ ...node, name: node.type }));
  const domain = node.domain || 'ai.onnx';
  const foreign = at.foreign.has(node.domain);
  if (!local && !foreign && newestOpset(node.domain) === undefined)
    throw new OnnxError(
      `${where}: the operators of domain "${domain}" are unknown here: custom operators are not supported. ` +
        'Export the model with standard operators only',
    );
  const version = at.opsets.get(node.domain);
  if (version === undefined)
    throw new OnnxError(`${where}: no opset_import for its domain "${domain}"; there is ${imported(at)}`);
  if (local) {
    expectCount(where, 'input', node.inputs.length, [0, local.inputs.length]);
    expectCount(where, 'output', node.outputs.length, [0, local.outputs.length]);
    for (const name of local.attributes)
      if (!node.attributes.has(name)) throw new OnnxError(`${where}: needs the attribute "${name}"`);
    return;
  }
  if (foreign) return;
  const definition = definitionAt(node.domain, node.type, version);
  if (!definition) {
    const since = definitionsOf(node.domain, node.type)?.[0]?.since;
    const came = since === undefined ? 'no version has it' : `it came with version ${since}`;
    throw new OnnxError(`${where}: ${domain} ${version} has no operator ${node.type}: ${came}`);
  }
  if (definition.withdrawn)
    throw new OnnxError(
      `${where}: ${domain} ${version} has no operator ${node.type} any more: ` +
        `it was withdrawn with version ${definition.since}`,
    );
  const renewed = definitionsOf(node.domain, node.type)?.some(({ since }) => since === OLDEST_RUN) ?? false;
  if (node.domain === '' && definition.since < OLDEST_RUN && renewed)
    throw new OnnxError(
      `${where}: ${node.type} as ${domain} ${version} defines it is not supported, only as from ${OLDEST_RUN} on. ` +
        `Export the model for opset ${OLDEST_RUN} or newer`,
    );
  expectCount(where, 'input', node.inputs.length, definition.inputs);
  expectCount(where, 'output', node.outputs.length, definition.outputs);
}

function imported({ opsets }: Place): string {
  return [...opsets].map(([domain, version]) => `${domain || 'ai.onnx'} ${version}`).join(', ') || 'none';
}

function expectCount(where: string, what: string, count: number, [least, most]: readonly [number, number]): void {
  if (count >= least && count <= most) return;
  const expected =
    least === most ? `${least}` : most === Number.POSITIVE_INFINITY ? `at least ${least}` : `${least} to ${most}`;
  throw new OnnxError(`${where}: has ${count} ${what}s, expected ${expected}`);
}

/** Why a value is not there when its node runs: nobody makes it, or a later node does. */
function missing(nodes: readonly Node[], at: number, name: string): string {
  const maker = nodes.findIndex(({ outputs }, index) => index >= at && outputs.includes(name));
  const later = nodes[maker];
  if (!later) return 'is made by no node before it and is no input or initializer';
  if (needs(nodes, maker, at)) return `is made by ${place(later, maker)}, which itself needs this node: a cycle`;
  return `is made later, by ${place(later, maker)}: nodes must be in topological order`;
}

/** Whether a node needs, directly or not, what another one makes. */
function needs(nodes: readonly Node[], from: number, target: number): boolean {
  const makers = new Map(nodes.flatMap((node, index) => node.outputs.map((name) => [name, index] as const)));
  const seen = new Set([from]);
  for (const index of seen) {
    if (index === target) return true;
    for (const name of nodes[index]?.inputs ?? []) {
      const maker = makers.get(name);
      if (maker !== undefined) seen.add(maker); // a Set's loop also reaches what is added meanwhile
    }
  }
  return false;
}

function nameOf({ domain, name }: Pick<LocalFunction, 'domain' | 'name'>): string {
  return `"${domain ? `${domain}.` : ''}${name}"`;
}
