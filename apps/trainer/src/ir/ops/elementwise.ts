/** Operations on corresponding elements, with NumPy broadcasting. */
import type { Value } from '../builder.ts';
import type { OpName } from '../ops.ts';
import { broadcast } from '../shapes.ts';
import type { DataType } from '../types.ts';
import { expectPair, expectType, NUMBER, type Operand, only, REAL, refuse, scalarLike } from './check.ts';

/** a + b */
export function Add(a: Operand, b: Operand): Value {
  return binary('Add', a, b);
}

/** a - b */
export function Sub(a: Operand, b: Operand): Value {
  return binary('Sub', a, b);
}

/** a * b */
export function Mul(a: Operand, b: Operand): Value {
  return binary('Mul', a, b);
}

/** a / b */
export function Div(a: Operand, b: Operand): Value {
  return binary('Div', a, b);
}

/** x to a power. */
export function Pow(x: Value, exponent: Operand): Value {
  return binary('Pow', x, exponent, REAL);
}

/** The smaller of two. */
export function Min(a: Operand, b: Operand): Value {
  return binary('Min', a, b);
}

/** The larger of two. */
export function Max(a: Operand, b: Operand): Value {
  return binary('Max', a, b);
}

/** -x */
export function Neg(x: Value): Value {
  return unary('Neg', x, NUMBER);
}

/** |x| */
export function Abs(x: Value): Value {
  return unary('Abs', x, NUMBER);
}

/** e to the x. */
export function Exp(x: Value): Value {
  return unary('Exp', x);
}

/** Natural logarithm. */
export function Log(x: Value): Value {
  return unary('Log', x);
}

/** Square root. */
export function Sqrt(x: Value): Value {
  return unary('Sqrt', x);
}

/** Sine of an angle in radians. */
export function Sin(x: Value): Value {
  return unary('Sin', x);
}

/** Cosine of an angle in radians. */
export function Cos(x: Value): Value {
  return unary('Cos', x);
}

/** -1, 0 or 1. */
export function Sign(x: Value): Value {
  return unary('Sign', x, NUMBER);
}

/** 1 / x */
export function Reciprocal(x: Value): Value {
  return unary('Reciprocal', x);
}

/** The error function. */
export function Erf(x: Value): Value {
  return unary('Erf', x);
}

/** max(x, 0) */
export function Relu(x: Value): Value {
  return unary('Relu', x);
}

/** 1 / (1 + exp(-x)) */
export function Sigmoid(x: Value): Value {
  return unary('Sigmoid', x);
}

/** Hyperbolic tangent. */
export function Tanh(x: Value): Value {
  return unary('Tanh', x);
}

/** log(1 + exp(x)), without overflow. */
export function Softplus(x: Value): Value {
  return unary('Softplus', x);
}

/** x kept within [low, high]; null leaves that side open. */
export function Clip(x: Value, low: number | null, high: number | null): Value {
  expectType('Clip', 0, x, NUMBER);
  const bounds = [low, high].map((bound) => (bound === null ? null : scalarLike(x, bound)));
  return only(x.graph.emit({ type: 'Clip', inputs: [x, ...bounds], outputs: [x] }));
}

function unary(op: OpName, x: Value, types: readonly DataType[] = REAL): Value {
  expectType(op, 0, x, types);
  return only(x.graph.emit({ type: op, inputs: [x], outputs: [{ type: x.type, shape: x.shape }] }));
}

function binary(op: OpName, a: Operand, b: Operand, types: readonly DataType[] = NUMBER): Value {
  const [left, right] = expectPair(op, a, b);
  expectType(op, 0, left, types);
  const shape =
    broadcast(left.shape, right.shape) ?? refuse(op, 1, right, `of a shape that broadcasts with [${left.shape}]`);
  return only(left.graph.emit({ type: op, inputs: [left, right], outputs: [{ type: left.type, shape }] }));
}
