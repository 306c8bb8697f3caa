/** What every operation does before it appends its node: check inputs, and say precisely what is wrong with them. */
import type { Value } from '../builder.ts';
import { GraphError } from '../errors.ts';
import type { OpName } from '../ops.ts';
import { describe, resolveAxis } from '../shapes.ts';
import type { Attribute, DataType } from '../types.ts';

/** A value, or a number that becomes a scalar constant of the other operand's type. */
export type Operand = Value | number;

/** Types of real numbers. */
export const REAL: readonly DataType[] = ['FLOAT', 'DOUBLE'];
/** Types that arithmetic is defined for. */
export const NUMBER: readonly DataType[] = ['FLOAT', 'DOUBLE', 'INT32', 'INT64'];

/** An integer attribute. */
export const int = (value: number | bigint): Attribute => ({ type: 'INT', value: BigInt(value) });
/** An attribute that lists integers. */
export const ints = (values: readonly number[]): Attribute => ({ type: 'INTS', value: values.map(BigInt) });
/** A string attribute. */
export const text = (value: string): Attribute => ({ type: 'STRING', value });

/** Refuses an operation: where, which input, what was expected, what came. */
export function refuse(op: OpName, index: number, value: Value, expected: string): never {
  throw new GraphError(
    `${value.graph.place(op)}: input ${index} "${value.name}" must be ${expected}; it is ` +
      describe(value.type, value.shape),
  );
}

/** Refuses an operation for an argument that is not a value. */
export function refuseArgument(op: OpName, at: Value, problem: string): never {
  throw new GraphError(`${at.graph.place(op)}: ${problem}; input 0 "${at.name}" is ${describe(at.type, at.shape)}`);
}

/** Requires one of these element types. */
export function expectType(op: OpName, index: number, value: Value, types: readonly DataType[]): void {
  if (!types.includes(value.type)) refuse(op, index, value, types.join(' or '));
}

/** The axis counted from the front. */
export function expectAxis(op: OpName, value: Value, axis: number): number {
  const rank = value.shape.length;
  return resolveAxis(axis, rank) ?? refuseArgument(op, value, `axis ${axis} must be in [${-rank}, ${rank})`);
}

/** Distinct axes counted from the front. */
export function expectAxes(op: OpName, value: Value, axes: readonly number[]): number[] {
  const resolved = axes.map((axis) => expectAxis(op, value, axis));
  if (new Set(resolved).size !== axes.length) refuseArgument(op, value, `axes [${axes}] must be distinct`);
  return resolved;
}

/** The length of an axis that must be known now. */
export function expectLength(op: OpName, index: number, value: Value, axis: number): number {
  const length = value.shape[axis];
  return typeof length === 'number' ? length : refuse(op, index, value, `of a known length along axis ${axis}`);
}

/** Two operands as values of one graph and one type: a number takes the other's type. */
export function expectPair(op: OpName, a: Operand, b: Operand): [Value, Value] {
  if (typeof a === 'number' && typeof b === 'number') throw new GraphError(`${op}: one operand must be a value`);
  const left = typeof a === 'number' ? scalarLike(b, a) : a;
  const right = typeof b === 'number' ? scalarLike(a, b) : b;
  if (left.type !== right.type) refuse(op, 1, right, `${left.type} like input 0 "${left.name}"`);
  return [left, right];
}

/** A scalar constant in the graph and of the type of `like`. */
export function scalarLike(like: Operand, value: number): Value {
  if (typeof like === 'number') throw new GraphError('a scalar constant needs a value to take its graph and type from');
  return like.graph.constant(like.type, [], [value]);
}

/** An INT64 vector constant, as the standard takes axes, shapes and bounds. */
export function int64s(like: Value, values: readonly number[]): Value {
  return like.graph.constant('INT64', [values.length], values);
}

/** The output of a node that has exactly one. */
export function only(outputs: readonly Value[]): Value {
  const [value] = outputs;
  if (!value) throw new GraphError('an operation without outputs');
  return value;
}
