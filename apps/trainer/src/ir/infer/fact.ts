/**
 * What is known of a value before the graph runs: its type, and for small integers (shapes, axes, bounds) its elements,
 * each a number, the name of a dimension, or unknown. Arithmetic of such shapes; knows no operation.
 */
import { numbersOf } from '../tensor.ts';
import type { DataType, Dim, Tensor, ValueType } from '../types.ts';

/** A shape of which axes may be unknown. */
export type Dims = readonly Dim[];

/** What is known of one value. */
export interface Fact {
  readonly type: ValueType | null;
  /** Elements in row-major order; null where not even their number is known or worth keeping. */
  readonly values: Dims | null;
}

/** More elements than any list of axes or bounds has; larger tensors are data. */
const MOST_VALUES = 4096;

/** Nothing is known. */
export const UNKNOWN: Fact = { type: null, values: null };

/** More axes than any tensor has; a hostile graph could double them node by node. */
const MOST_AXES = 64;

/** More levels than any type has: SEQUENCE of OPTIONAL of ... grows by one per node. */
const MOST_LEVELS = 8;

/** A tensor of this element type and shape. */
export function tensor(type: DataType | null, shape: Dims | null, values: Dims | null = null): Fact {
  const kept = values && values.length <= MOST_VALUES ? values : null;
  const axes = shape && shape.length <= MOST_AXES ? shape.map(length) : null;
  return { type: { kind: 'TENSOR', type, shape: axes }, values: kept };
}

/** Lengths that overflowed or came out negative are unknown. */
function length(dim: Dim): Dim {
  return typeof dim !== 'number' || (Number.isSafeInteger(dim) && dim >= 0) ? dim : null;
}

/** A value of which only the type is said. */
export function fact(type: ValueType | null): Fact {
  return { type: type && levels(type, MOST_LEVELS) > MOST_LEVELS ? null : type, values: null };
}

function levels(type: ValueType, most: number): number {
  if (most === 0 || !('of' in type) || !type.of) return 1;
  return 1 + levels(type.of, most - 1);
}

/** Everything about a tensor that is there; elements only of numbers that can stand for lengths, axes or factors. */
export function factOf(value: Tensor): Fact {
  const numeric = ['INT64', 'INT32', 'FLOAT', 'BOOL', 'UINT8', 'DOUBLE', 'UINT64'].includes(value.type);
  const small = numeric && value.data.length <= 8 * MOST_VALUES;
  return tensor(value.type, value.dims, small ? numbersOf(value) : null);
}

/** Element type, shape, elements of a fact, each null where unknown. */
export function elementOf({ type }: Fact): DataType | null {
  return type?.kind === 'TENSOR' ? type.type : null;
}

/** Shape of a fact, or null. */
export function shapeOf({ type }: Fact): Dims | null {
  return type?.kind === 'TENSOR' ? type.shape : null;
}

/** Number of elements, if every axis has a length. */
export function sizeOf(shape: Dims): number | null {
  return shape.reduce<number | null>((size, dim) => (size === null || typeof dim !== 'number' ? null : size * dim), 1);
}

/** The list if every element is a number. */
export function numbers(values: Dims | null | undefined): readonly number[] | null {
  if (!values) return null;
  const all = values.filter((value) => typeof value === 'number');
  return all.length === values.length ? all : null;
}

/** `rank` axes of unknown length; null for more axes than any tensor has. */
export function unknownDims(rank: number): Dim[] | null {
  return Number.isInteger(rank) && rank >= 0 && rank <= MOST_AXES ? new Array<Dim>(rank).fill(null) : null;
}

/** NumPy broadcasting of two axes: undefined if they cannot meet. */
function broadcastDim(a: Dim, b: Dim): Dim | undefined {
  if (a === 1) return b;
  if (b === 1 || a === b) return a;
  if (typeof a === 'number' && typeof b === 'number') return undefined;
  // A length above 1 wins over an axis of unknown length, which must be the same or 1; two such axes say nothing.
  if (typeof a === 'number') return a;
  return typeof b === 'number' ? b : null;
}

/** NumPy broadcasting of shapes: undefined if they cannot meet, null if one is unknown. */
export function broadcastShapes(shapes: readonly (Dims | null)[]): Dims | null | undefined {
  let joint: Dims = [];
  for (const shape of shapes) {
    if (!shape) return null;
    const rank = Math.max(joint.length, shape.length);
    const next: Dim[] = [];
    for (let axis = 0; axis < rank; axis++) {
      const left = axis - rank + joint.length;
      const right = axis - rank + shape.length;
      const dim = broadcastDim(left < 0 ? 1 : (joint[left] ?? null), right < 0 ? 1 : (shape[right] ?? null));
      if (dim === undefined) return undefined;
      next.push(dim);
    }
    joint = next;
  }
  return joint;
}

/** What holds of a value that has one of two types. */
export function either(a: ValueType | null, b: ValueType | null): ValueType | null {
  if (!a || !b) return null;
  if (a.kind === 'TENSOR' && b.kind === 'TENSOR') {
    const type = a.type === b.type ? a.type : null;
    if (!a.shape || !b.shape || a.shape.length !== b.shape.length) return { kind: 'TENSOR', type, shape: null };
    const other = b.shape;
    return { kind: 'TENSOR', type, shape: a.shape.map((dim, axis) => (dim === other[axis] ? dim : null)) };
  }
  if ((a.kind === 'SEQUENCE' || a.kind === 'OPTIONAL') && b.kind === a.kind)
    return { kind: a.kind, of: either(a.of, b.of) };
  return null;
}

/** Two things said of one value put together; where both say something, the first is believed. */
export function both(a: ValueType | null, b: ValueType | null): ValueType | null {
  if (!a || !b) return a ?? b;
  if (a.kind === 'TENSOR' && b.kind === 'TENSOR') {
    const type = a.type ?? b.type;
    if (!a.shape || !b.shape || a.shape.length !== b.shape.length)
      return { kind: 'TENSOR', type, shape: a.shape ?? b.shape };
    const other = b.shape;
    return { kind: 'TENSOR', type, shape: a.shape.map((dim, axis) => preferred(dim, other[axis] ?? null)) };
  }
  if ((a.kind === 'SEQUENCE' || a.kind === 'OPTIONAL') && b.kind === a.kind)
    return { kind: a.kind, of: both(a.of, b.of) };
  return a;
}

/** A length says more than a name, a name more than nothing. */
function preferred(a: Dim, b: Dim): Dim {
  return typeof a === 'number' ? a : typeof b === 'number' ? b : (a ?? b);
}

/** "FLOAT [N,?,3]", "SEQUENCE of ..." for errors. */
export function spell(type: ValueType | null): string {
  if (!type) return 'of unknown type';
  if (!('of' in type)) {
    const shape = type.shape ? `[${type.shape.map((dim) => dim ?? '?').join(',')}]` : 'of unknown rank';
    return `${type.kind === 'TENSOR' ? '' : 'sparse '}${type.type ?? 'tensor'} ${shape}`;
  }
  return type.kind === 'MAP' ? `MAP from ${type.key}` : `${type.kind} of ${spell(type.of)}`;
}
