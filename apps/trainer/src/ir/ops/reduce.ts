/** Operations that fold axes, and those that normalise along one. */
import type { Value } from '../builder.ts';
import type { OpName } from '../ops.ts';
import { expectAxes, expectAxis, expectType, int, int64s, NUMBER, only, REAL } from './check.ts';

/** How to fold: which axes (all if left out), and whether they stay with length 1. */
export interface Fold {
  readonly axes?: readonly number[];
  readonly keep?: boolean;
}

/** Sum over axes. */
export function ReduceSum(x: Value, fold: Fold = {}): Value {
  return reduce('ReduceSum', x, fold);
}

/** Mean over axes. */
export function ReduceMean(x: Value, fold: Fold = {}): Value {
  return reduce('ReduceMean', x, fold);
}

/** Maximum over axes. */
export function ReduceMax(x: Value, fold: Fold = {}): Value {
  return reduce('ReduceMax', x, fold);
}

/** Minimum over axes. */
export function ReduceMin(x: Value, fold: Fold = {}): Value {
  return reduce('ReduceMin', x, fold);
}

/** Sum of squares over axes. */
export function ReduceSumSquare(x: Value, fold: Fold = {}): Value {
  return reduce('ReduceSumSquare', x, fold);
}

/** exp(x) divided by its sum along the axis. */
export function Softmax(x: Value, axis = -1): Value {
  return along('Softmax', x, axis);
}

/** Logarithm of Softmax, without underflow. */
export function LogSoftmax(x: Value, axis = -1): Value {
  return along('LogSoftmax', x, axis);
}

function reduce(op: OpName, x: Value, { axes = [...x.shape.keys()], keep = false }: Fold): Value {
  expectType(op, 0, x, NUMBER);
  const folded = expectAxes(op, x, axes);
  const shape = x.shape.flatMap((dim, axis) => (folded.includes(axis) ? (keep ? [1] : []) : [dim]));
  // No axes would mean all axes to ONNX; to a caller who lists none it means that nothing is folded.
  const attributes = { keepdims: int(keep ? 1 : 0), noop_with_empty_axes: int(1) };
  const inputs = [x, int64s(x, folded)];
  return only(x.graph.emit({ type: op, inputs, outputs: [{ type: x.type, shape }], attributes }));
}

function along(op: OpName, x: Value, axis: number): Value {
  expectType(op, 0, x, REAL);
  const attributes = { axis: int(expectAxis(op, x, axis)) };
  return only(x.graph.emit({ type: op, inputs: [x], outputs: [{ type: x.type, shape: x.shape }], attributes }));
}
