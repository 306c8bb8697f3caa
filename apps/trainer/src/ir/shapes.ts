/** Arithmetic of shapes: axes, sizes, broadcasting. Pure; an axis may have a name instead of a length. */
import type { DataType, Dim } from './types.ts';

/** A shape in which every axis has a length or a name. */
export type Shape = readonly Exclude<Dim, null>[];

/** "FLOAT [N,4]", as errors and docs write it. */
export function describe(type: DataType, shape: Shape): string {
  return `${type} [${shape.join(',')}]`;
}

/** Axis counted from the front; undefined if a tensor of this rank does not have it. */
export function resolveAxis(axis: number, rank: number): number | undefined {
  const resolved = axis < 0 ? axis + rank : axis;
  return Number.isInteger(resolved) && resolved >= 0 && resolved < rank ? resolved : undefined;
}

/** The shape if every axis has a length, else undefined. */
export function staticShape(shape: Shape): readonly number[] | undefined {
  const lengths = shape.filter((dim) => typeof dim === 'number');
  return lengths.length === shape.length ? lengths : undefined;
}

/** Elements of a tensor of this shape. */
export function sizeOf(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

/** Same axes in the same order. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, index) => dim === b[index]);
}

/** NumPy broadcasting of two shapes, or undefined; a named axis meets only itself or 1. */
export function broadcast(a: Shape, b: Shape): Shape | undefined {
  const rank = Math.max(a.length, b.length);
  const out: (number | string)[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    if (left !== right && left !== 1 && right !== 1) return undefined;
    out.push(left === 1 ? right : left);
  }
  return out;
}
