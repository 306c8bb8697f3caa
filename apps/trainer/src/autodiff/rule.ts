/** What a gradient rule is, and the few moves that rules share. */
import type { Operation, Value } from '../ir/builder.ts';
import { GraphError } from '../ir/errors.ts';
import * as op from '../ir/ops.ts';
import { type Shape, sameShape, staticShape } from '../ir/shapes.ts';
import { numbersOf } from '../ir/tensor.ts';

/** What the compiled graph will run on: the kernels that are fast, or that exist at all, differ. */
export type Target = 'CPU' | 'WEBGPU';

/** What a rule may ask of the one who applies it. */
export interface Context {
  readonly target: Target;
  /**
   * The gradients by `inputs` of what `build` makes of them now, given those by its outputs: for an operation that is
   * differentiated by what it is composed of.
   */
  through(
    inputs: readonly Value[],
    build: (inputs: readonly Value[]) => readonly Value[],
    dy: readonly (Value | null)[],
  ): readonly (Value | null)[];
}

/**
 * From dL/d(output) of a node, dL/d(input) of it: one per input, null where there is none. An output that the loss
 * does not depend on has null. Rules append to the graph of the node; what turns out not to be needed is left out of
 * the file.
 */
export type Rule = (node: Operation, dy: readonly (Value | null)[], context: Context) => readonly (Value | null)[];

/** A rule for nodes of one output and only real inputs, which is nearly all of them. */
export function rule(of: (dy: Value, y: Value, ...x: [Value, Value, Value]) => readonly (Value | null)[]): Rule {
  return (node, [dy]) => {
    const [y] = node.outputs;
    if (!dy || !y) throw new GraphError(`${node.name}: a gradient rule ran without a gradient`);
    // Absent inputs are never read by a rule for a node that lacks them; the tuple spares every rule the question.
    const [a, b = a, c = a] = node.inputs;
    if (!a || !b || !c) throw new GraphError(`${node.name}: expected its inputs to be present`);
    return of(dy, y, a, b, c);
  };
}

/** A rule for an operation that others compose: it is written out again, and they are differentiated. */
export function composed(build: (node: Operation, ...inputs: Value[]) => Value | readonly Value[]): Rule {
  return (node, dy, { through }) => {
    const present = node.inputs.flatMap((value) => value ?? []);
    const outputs = (values: readonly Value[]) => {
      const built = build(node, ...values);
      return 'name' in built ? [built] : built;
    };
    const gradients = [...through(present, outputs, dy)];
    return node.inputs.map((value) => (value === null ? null : (gradients.shift() ?? null)));
  };
}

/** The gradient by a value of this shape that was broadcast to the shape of dy: summed over the repeated axes. */
export function sumTo(dy: Value, shape: Shape): Value {
  if (sameShape(dy.shape, shape)) return dy;
  const lead = dy.shape.length - shape.length;
  const axes = [...dy.shape.keys()].filter((axis) => axis < lead || shape[axis - lead] !== dy.shape[axis]);
  const sum = op.ReduceSum(dy, { axes });
  return sameShape(sum.shape, shape) ? sum : op.Reshape(sum, shape);
}

/** The lengths of a value's axes, which gradients need to know. */
export function lengthsOf(value: Value): readonly number[] {
  const lengths = staticShape(value.shape);
  if (lengths) return lengths;
  throw new GraphError(`"${value.name}" [${value.shape}]: gradients need a graph without named axes`);
}

/** Zeros in the shape and type of a value. */
export function zerosLike(value: Value): Value {
  return op.Expand(value.graph.constant(value.type, [], [0]), lengthsOf(value));
}

/** The numbers of an input that is known before the graph runs: axes, shapes, bounds. */
export function constantOf(node: Operation, index: number): number[] {
  const constant = node.inputs[index]?.constant;
  if (!constant) throw new GraphError(`${node.name}: input ${index} must be a constant for its gradient`);
  return numbersOf(constant);
}

/** An integer attribute. */
export function intOf(node: Operation, name: string): number {
  const attribute = node.attributes.get(name);
  if (attribute?.type === 'INT') return Number(attribute.value);
  throw new GraphError(`${node.name}: expected an integer attribute "${name}"`);
}

/** A list attribute of integers. */
export function intsOf(node: Operation, name: string): number[] {
  const attribute = node.attributes.get(name);
  if (attribute?.type === 'INTS') return attribute.value.map(Number);
  throw new GraphError(`${node.name}: expected an attribute "${name}" of integers`);
}

/** A number attribute. */
export function floatOf(node: Operation, name: string): number {
  const attribute = node.attributes.get(name);
  if (attribute?.type === 'FLOAT') return attribute.value;
  throw new GraphError(`${node.name}: expected a number attribute "${name}"`);
}

/** A string attribute. */
export function textOf(node: Operation, name: string): string {
  const attribute = node.attributes.get(name);
  if (attribute?.type === 'STRING') return attribute.value;
  throw new GraphError(`${node.name}: expected a string attribute "${name}"`);
}
