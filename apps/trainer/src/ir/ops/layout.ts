/** Operations that move or rename elements but compute nothing: reshape, transpose, join, cut. */
import type { Value } from '../builder.ts';
import { GraphError } from '../errors.ts';
import { broadcast, type Shape, sameShape, sizeOf } from '../shapes.ts';
import { DATA_TYPES, type DataType } from '../types.ts';
import { expectAxes, expectAxis, expectLength, int, int64s, ints, only, refuse, refuseArgument } from './check.ts';

/** The same value under another name. */
export function Identity(x: Value): Value {
  return only(x.graph.emit({ type: 'Identity', inputs: [x], outputs: [{ type: x.type, shape: x.shape }] }));
}

/** Elements of another type. */
export function Cast(x: Value, type: DataType): Value {
  const attributes = { to: int(DATA_TYPES[type].number) };
  return only(x.graph.emit({ type: 'Cast', inputs: [x], outputs: [{ type, shape: x.shape }], attributes }));
}

/**
 * The same elements in another shape. A named axis stays at its place, or, if it is the only one and its neighbours
 * are not split across it, moves.
 */
export function Reshape(x: Value, shape: Shape): Value {
  const named = (dims: Shape) => dims.filter((dim) => typeof dim === 'string');
  const size = (dims: Shape) => sizeOf(dims.filter((dim) => typeof dim === 'number'));
  const stays = (axis: number) => x.shape[axis] === shape[axis];
  const moved = [...shape.keys()].filter((axis) => typeof shape[axis] === 'string' && !stays(axis));
  if (!sameShape(named(x.shape), named(shape)) || moved.length > 1 || size(x.shape) !== size(shape))
    refuse('Reshape', 0, x, `of as many elements as [${shape}], with the same named axes at the same places`);
  const target = shape.map((dim, axis) => (typeof dim === 'number' ? dim : stays(axis) ? 0 : -1));
  return only(x.graph.emit({ type: 'Reshape', inputs: [x, int64s(x, target)], outputs: [{ type: x.type, shape }] }));
}

/** Axes in another order: axis i of the result is axis perm[i] of x. */
export function Transpose(x: Value, perm: readonly number[]): Value {
  const axes = expectAxes('Transpose', x, perm);
  if (axes.length !== x.shape.length) refuseArgument('Transpose', x, `perm [${perm}] must name every axis`);
  const shape = axes.map((axis) => x.shape[axis] ?? 1);
  const attributes = { perm: ints(axes) };
  return only(x.graph.emit({ type: 'Transpose', inputs: [x], outputs: [{ type: x.type, shape }], attributes }));
}

/** Without these axes, which must have length 1. */
export function Squeeze(x: Value, axes: readonly number[]): Value {
  const gone = expectAxes('Squeeze', x, axes);
  for (const axis of gone) if (x.shape[axis] !== 1) refuse('Squeeze', 0, x, `of length 1 along axis ${axis}`);
  const shape = x.shape.filter((_, axis) => !gone.includes(axis));
  return only(x.graph.emit({ type: 'Squeeze', inputs: [x, int64s(x, gone)], outputs: [{ type: x.type, shape }] }));
}

/** With new axes of length 1 at these places of the result. */
export function Unsqueeze(x: Value, axes: readonly number[]): Value {
  const rank = x.shape.length + axes.length;
  const places = axes.map((axis) => (axis < 0 ? axis + rank : axis));
  if (new Set(places).size !== axes.length || places.some((axis) => axis < 0 || axis >= rank))
    refuseArgument('Unsqueeze', x, `axes [${axes}] must be distinct and in [${-rank}, ${rank})`);
  const rest = [...x.shape];
  const shape = Array.from({ length: rank }, (_, axis) => (places.includes(axis) ? 1 : (rest.shift() ?? 1)));
  return only(x.graph.emit({ type: 'Unsqueeze', inputs: [x, int64s(x, places)], outputs: [{ type: x.type, shape }] }));
}

/** Repeated along axes of length 1, to this shape. */
export function Expand(x: Value, shape: readonly number[]): Value {
  const joint = broadcast(x.shape, shape);
  if (!joint || !sameShape(joint, shape)) refuse('Expand', 0, x, `broadcastable to [${shape}]`);
  return only(x.graph.emit({ type: 'Expand', inputs: [x, int64s(x, shape)], outputs: [{ type: x.type, shape }] }));
}

/** Repeated so many times along each axis. */
export function Tile(x: Value, repeats: readonly number[]): Value {
  if (repeats.length !== x.shape.length) refuseArgument('Tile', x, `repeats [${repeats}] must have a number per axis`);
  const shape = x.shape.map((dim, axis) =>
    repeats[axis] === 1 ? dim : expectLength('Tile', 0, x, axis) * (repeats[axis] ?? 1),
  );
  return only(x.graph.emit({ type: 'Tile', inputs: [x, int64s(x, repeats)], outputs: [{ type: x.type, shape }] }));
}

/** Values one behind the other along an axis; a named axis and 1 more is the axis "T+1". */
export function Concat(values: readonly Value[], axis: number): Value {
  const [first] = values;
  if (!first) throw new GraphError('Concat: needs at least one value');
  const at = expectAxis('Concat', first, axis);
  const others = (shape: Shape) => shape.filter((_, index) => index !== at);
  const lengths = values.map((value, index) => {
    if (value.type !== first.type || value.shape.length !== first.shape.length)
      refuse('Concat', index, value, `${first.type} of rank ${first.shape.length} like input 0`);
    if (!sameShape(others(value.shape), others(first.shape)))
      refuse('Concat', index, value, `like input 0 [${first.shape}] but for axis ${at}`);
    return value.shape[at] ?? 1;
  });
  const known = lengths.reduce<number>((sum, length) => (typeof length === 'number' ? sum + length : sum), 0);
  const named = lengths.filter((length) => typeof length === 'string');
  const shape = first.shape.with(at, named.length === 0 ? known : [...named, ...(known > 0 ? [known] : [])].join('+'));
  const attributes = { axis: int(at) };
  return only(first.graph.emit({ type: 'Concat', inputs: values, outputs: [{ type: first.type, shape }], attributes }));
}

/** Cut along an axis into pieces of these lengths. */
export function Split(x: Value, lengths: readonly number[], axis: number): readonly Value[] {
  const at = expectAxis('Split', x, axis);
  const sum = lengths.reduce((total, length) => total + length, 0);
  if (x.shape[at] !== sum) refuse('Split', 0, x, `of length ${sum} along axis ${at}`);
  const outputs = lengths.map((length) => ({ type: x.type, shape: x.shape.with(at, length) }));
  return x.graph.emit({ type: 'Split', inputs: [x, int64s(x, lengths)], outputs, attributes: { axis: int(at) } });
}

/** Which part of which axis: from start up to but not including end, each `step`th. */
export interface Range {
  readonly axis: number;
  readonly start: number;
  readonly end: number;
  readonly step?: number;
}

/** A part of x. */
export function Slice(x: Value, ranges: readonly Range[]): Value {
  const named = ranges.map((range) => range.axis);
  const axes = expectAxes('Slice', x, named);
  const shape = [...x.shape];
  ranges.forEach(({ start, end, step = 1 }, index) => {
    const axis = axes[index] ?? 0;
    if (start < 0 || end < start || end > expectLength('Slice', 0, x, axis) || step < 1)
      refuse('Slice', 0, x, `long enough for ${start}..${end} along axis ${axis}, by steps of at least 1`);
    shape[axis] = Math.ceil((end - start) / step);
  });
  const [starts, ends] = [ranges.map((range) => range.start), ranges.map((range) => range.end)];
  const steps = ranges.map((range) => range.step ?? 1);
  const bounds = [starts, ends, axes, ...(steps.some((step) => step > 1) ? [steps] : [])];
  const inputs = [x, ...bounds.map((list) => int64s(x, list))];
  return only(x.graph.emit({ type: 'Slice', inputs, outputs: [{ type: x.type, shape }] }));
}

/** A number, 0 if none is given, before and after, per axis. */
export function Pad(x: Value, before: readonly number[], after: readonly number[], fill = 0): Value {
  const rank = x.shape.length;
  if (before.length !== rank || after.length !== rank) refuse('Pad', 0, x, `of rank ${before.length}`);
  const shape = x.shape.map((dim, axis) => {
    const more = (before[axis] ?? 0) + (after[axis] ?? 0);
    return more === 0 ? dim : expectLength('Pad', 0, x, axis) + more;
  });
  const places = int64s(x, [...before, ...after]);
  const inputs = fill === 0 ? [x, places] : [x, places, x.graph.constant(x.type, [], [fill])];
  return only(x.graph.emit({ type: 'Pad', inputs, outputs: [{ type: x.type, shape }] }));
}
