/** One node as a rule sees it: what is known of its inputs, its attributes, and how to refuse it. */
import { OnnxError } from '../errors.ts';
import type { Attribute, AttributeType, DataType, Dim, Graph, Node } from '../types.ts';
import { type Dims, elementOf, type Fact, numbers, shapeOf, spell } from './fact.ts';

/** From what is known of a node's inputs to what is known of its outputs, in order; one fact stands for the first. */
export type Rule = (call: Call) => Fact | readonly Fact[];

/** A rule per operation, by the operation's name. */
export type Rules = Readonly<Record<string, Rule>>;

/** What a rule with subgraphs needs: the facts of a subgraph's outputs from those of its inputs. */
export type InferGraph = (graph: Graph, inputs: readonly Fact[]) => readonly Fact[];

/** One node. Inputs that are left out are null. */
export class Call {
  readonly node: Node;
  readonly where: string;
  /** Version of the operator set that gives the node its meaning. */
  readonly opset: number;
  readonly inputs: readonly (Fact | null)[];
  readonly inferGraph: InferGraph;

  constructor(node: Node, where: string, opset: number, inputs: readonly (Fact | null)[], inferGraph: InferGraph) {
    this.node = node;
    this.where = where;
    this.opset = opset;
    this.inputs = inputs;
    this.inferGraph = inferGraph;
  }

  /** Whether the input is given. */
  has(index: number): boolean {
    return (this.inputs[index] ?? null) !== null;
  }

  /** Element type of an input. */
  type(index: number): DataType | null {
    const input = this.inputs[index];
    return input ? elementOf(input) : null;
  }

  /** Shape of an input. */
  shape(index: number): Dims | null {
    const input = this.inputs[index];
    return input ? shapeOf(input) : null;
  }

  /** Elements of an input. */
  values(index: number): Dims | null {
    return this.inputs[index]?.values ?? null;
  }

  /** Refuses the node for one of its inputs. */
  refuse(index: number, expected: string): never {
    const name = this.node.inputs[index] ?? '';
    const type = spell(this.inputs[index]?.type ?? null);
    throw new OnnxError(`${this.where}: input ${index} "${name}" must be ${expected}; it is ${type}`);
  }

  /** Refuses the node for an attribute, or for how inputs and attributes go together. */
  fail(problem: string): never {
    throw new OnnxError(`${this.where}: ${problem}`);
  }

  /** An attribute, or undefined where it is left out. @throws OnnxError if it has another type. */
  attribute<T extends AttributeType>(name: string, type: T): Extract<Attribute, { type: T }> | undefined {
    const attribute = this.node.attributes.get(name);
    // Function bodies that were not called yet refer to attributes of their callers: nothing is known of those.
    if (!attribute || attribute.type === 'REFERENCE') return undefined;
    if (hasType(attribute, type)) return attribute;
    return this.fail(`attribute "${name}" must be ${type}; it is ${attribute.type}`);
  }

  /** An integer attribute. */
  int(name: string, fallback: number): number {
    const attribute = this.attribute(name, 'INT');
    return attribute ? Number(attribute.value) : fallback;
  }

  /** A flag, which ONNX writes as 0 or 1. */
  flag(name: string, fallback = false): boolean {
    return this.int(name, fallback ? 1 : 0) !== 0;
  }

  /** A string attribute. */
  text(name: string, fallback = ''): string {
    return this.attribute(name, 'STRING')?.value ?? fallback;
  }

  /** An attribute that lists integers. */
  ints(name: string): readonly number[] | undefined {
    return this.attribute(name, 'INTS')?.value.map(Number);
  }

  /** A list that older operator sets have as attribute and newer ones as input; undefined: left out, null: unknown. */
  list(name: string, index: number): readonly number[] | null | undefined {
    const attribute = this.ints(name);
    if (attribute) return attribute;
    return this.has(index) ? numbers(this.values(index)) : undefined;
  }

  /** Axis counted from the front. */
  axis(axis: number, rank: number): number {
    const resolved = axis < 0 ? axis + rank : axis;
    if (!Number.isInteger(resolved) || resolved < 0 || resolved >= rank)
      this.fail(`axis ${axis} must be in [${-rank}, ${rank}); input 0 is ${spell(this.inputs[0]?.type ?? null)}`);
    return resolved;
  }

  /** Refuses inputs (all, if none are named) whose known element types differ. */
  sameType(indices: Iterable<number> = this.inputs.keys()): DataType | null {
    let type: DataType | null = null;
    let first = 0;
    for (const index of indices) {
      const other = this.type(index);
      if (type && other && other !== type) this.refuse(index, `${type} like input ${first}`);
      if (!type) first = index;
      type ??= other;
    }
    return type;
  }

  /** The shape, which must have this rank if it is known. */
  ranked(index: number, rank: number): Dims | null {
    const shape = this.shape(index);
    if (shape && shape.length !== rank) this.refuse(index, `of rank ${rank}`);
    return shape;
  }

  /** One axis of an input's shape, null where unknown. */
  dim(index: number, axis: number): Dim {
    return this.shape(index)?.at(axis) ?? null;
  }
}

function hasType<T extends AttributeType>(attribute: Attribute, type: T): attribute is Extract<Attribute, { type: T }> {
  return attribute.type === type;
}
