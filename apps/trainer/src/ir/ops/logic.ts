/** Questions about elements: comparisons and what is done with their answers. */
import type { Value } from '../builder.ts';
import type { OpName } from '../ops.ts';
import { broadcast } from '../shapes.ts';
import type { DataType } from '../types.ts';
import { expectPair, expectType, NUMBER, type Operand, only, REAL, refuse } from './check.ts';

/** a = b */
export function Equal(a: Operand, b: Operand): Value {
  return compare('Equal', a, b, [...NUMBER, 'BOOL', 'STRING']);
}

/** a > b */
export function Greater(a: Operand, b: Operand): Value {
  return compare('Greater', a, b, NUMBER);
}

/** a < b */
export function Less(a: Operand, b: Operand): Value {
  return compare('Less', a, b, NUMBER);
}

/** a and b */
export function And(a: Value, b: Value): Value {
  return compare('And', a, b, ['BOOL']);
}

/** a or b */
export function Or(a: Value, b: Value): Value {
  return compare('Or', a, b, ['BOOL']);
}

/** not x */
export function Not(x: Value): Value {
  expectType('Not', 0, x, ['BOOL']);
  return only(x.graph.emit({ type: 'Not', inputs: [x], outputs: [x] }));
}

/** True where x is not a number. */
export function IsNaN(x: Value): Value {
  expectType('IsNaN', 0, x, REAL);
  return only(x.graph.emit({ type: 'IsNaN', inputs: [x], outputs: [{ type: 'BOOL', shape: x.shape }] }));
}

/** a where the condition holds, else b. */
export function Where(condition: Value, a: Operand, b: Operand): Value {
  expectType('Where', 0, condition, ['BOOL']);
  const [left, right] = expectPair('Where', a, b);
  const both = broadcast(left.shape, right.shape) ?? refuse('Where', 2, right, `broadcastable with [${left.shape}]`);
  const shape = broadcast(condition.shape, both) ?? refuse('Where', 0, condition, `broadcastable with [${both}]`);
  const inputs = [condition, left, right];
  return only(condition.graph.emit({ type: 'Where', inputs, outputs: [{ type: left.type, shape }] }));
}

function compare(op: OpName, a: Operand, b: Operand, types: readonly DataType[]): Value {
  const [left, right] = expectPair(op, a, b);
  expectType(op, 0, left, types);
  const shape = broadcast(left.shape, right.shape) ?? refuse(op, 1, right, `broadcastable with [${left.shape}]`);
  return only(left.graph.emit({ type: op, inputs: [left, right], outputs: [{ type: 'BOOL', shape }] }));
}
