/** Rules of operations that move or rename elements: reshape, transpose, join, cut. */
import type { Dim } from '../types.ts';
import type { Call, Rules } from './call.ts';
import { broadcastShapes, type Dims, type Fact, numbers, sizeOf, spell, tensor, unknownDims } from './fact.ts';

function reshape(c: Call): Fact {
  const target = c.ints('shape') ?? c.values(1);
  const from = c.shape(0);
  if (!target) {
    const rank = c.dim(1, 0);
    return tensor(c.type(0), typeof rank === 'number' ? unknownDims(rank) : null);
  }
  const shape = target.map((dim, axis): Dim => (dim === 0 && !c.flag('allowzero') ? (from?.[axis] ?? null) : dim));
  const open = shape.indexOf(-1);
  if (shape.lastIndexOf(-1) !== open) c.fail(`shape [${target}] has more than one -1`);
  const total = from ? sizeOf(from) : null;
  if (open >= 0) shape[open] = from ? remaining(from, shape.toSpliced(open, 1)) : null;
  const size = sizeOf(shape);
  // -1 in place of a size that does not divide is left unknown by `remaining`: refuse it here where all is known.
  if (total !== null && (size === null ? open >= 0 && numbers(shape.toSpliced(open, 1)) : size !== total))
    c.refuse(0, `of as many elements as shape [${target.map((dim) => dim ?? '?')}]`);
  return tensor(c.type(0), shape, c.values(0));
}

/** What is left for one axis when the others are set: named axes cancel against the same names. */
function remaining(from: Dims, others: Dims): Dim {
  const rest = [...from];
  const unmatched = others.filter((dim) => {
    const at = typeof dim === 'string' ? rest.indexOf(dim) : -1;
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
  const divisor = sizeOf(unmatched);
  const named = rest.filter((dim) => typeof dim !== 'number');
  const size = sizeOf(rest.filter((dim) => typeof dim === 'number'));
  if (divisor === null || size === null) return null;
  if (named.length === 0) return divisor > 0 && size % divisor === 0 ? size / divisor : null;
  return named.length === 1 && size === divisor ? (named[0] ?? null) : null;
}

function flatten(c: Call): Fact {
  const shape = c.shape(0);
  if (!shape) return tensor(c.type(0), unknownDims(2));
  const axis = c.int('axis', 1);
  const at = axis < 0 ? axis + shape.length : axis;
  return tensor(c.type(0), [sizeOf(shape.slice(0, at)), sizeOf(shape.slice(at))]);
}

function transpose(c: Call): Fact {
  const shape = c.shape(0);
  const perm = c.ints('perm') ?? (shape ? [...shape.keys()].reverse() : null);
  if (!perm) return tensor(c.type(0), null);
  const axes = [...perm].sort((a, b) => a - b);
  if ((shape && perm.length !== shape.length) || axes.some((axis, index) => axis !== index))
    c.fail(`perm [${perm}] must name every axis of input 0 once; it is ${spell(c.inputs[0]?.type ?? null)}`);
  return tensor(c.type(0), shape ? perm.map((axis) => shape[axis] ?? null) : unknownDims(perm.length));
}

function squeeze(c: Call): Fact {
  const shape = c.shape(0);
  const axes = c.list('axes', 1);
  if (!shape || axes === null) return tensor(c.type(0), null, c.values(0));
  const gone = axes?.map((axis) => c.axis(axis, shape.length));
  for (const axis of gone ?? [])
    if (typeof shape[axis] === 'number' && shape[axis] !== 1) c.refuse(0, `of length 1 along axis ${axis}`);
  // Without axes every 1 goes; an axis of unknown length might be one.
  if (!gone && shape.some((dim) => typeof dim !== 'number')) return tensor(c.type(0), null, c.values(0));
  const kept = shape.filter((dim, axis) => (gone ? !gone.includes(axis) : dim !== 1));
  return tensor(c.type(0), kept, c.values(0));
}

function unsqueeze(c: Call): Fact {
  const shape = c.shape(0);
  const axes = c.list('axes', 1);
  if (!shape || !axes) return tensor(c.type(0), null, c.values(0));
  const rank = shape.length + axes.length;
  const places = axes.map((axis) => c.axis(axis, rank));
  const rest = [...shape];
  const out = Array.from({ length: rank }, (_, axis) => (places.includes(axis) ? 1 : (rest.shift() ?? null)));
  return tensor(c.type(0), out, c.values(0));
}

function expand(c: Call): Fact {
  const target = c.values(1);
  if (!target) return tensor(c.type(0), null);
  const shape = broadcastShapes([c.shape(0), target]);
  if (shape === undefined) c.refuse(0, `broadcastable with [${target.map((dim) => dim ?? '?')}]`);
  const single = c.values(0)?.length === 1 ? c.values(0)?.[0] : undefined;
  const size = shape ? sizeOf(shape) : null;
  const values = single !== undefined && size !== null && size <= 64 ? new Array<Dim>(size).fill(single) : null;
  return tensor(c.type(0), shape ?? null, values);
}

function tile(c: Call): Fact {
  const shape = c.shape(0);
  if (c.opset < 6) return tensor(c.type(0), shape ? unknownDims(shape.length) : null);
  const repeats = c.values(1);
  if (!shape) return tensor(c.type(0), repeats ? unknownDims(repeats.length) : null);
  return tensor(
    c.type(0),
    shape.map((dim, axis) => times(dim, repeats?.[axis] ?? null)),
  );
}

/** Product of two axes where it can be said. */
export function times(a: Dim, b: Dim): Dim {
  if (a === 1) return b;
  if (b === 1) return a;
  return typeof a === 'number' && typeof b === 'number' ? a * b : null;
}

function concat(c: Call): Fact {
  const type = c.sameType();
  const shapes = c.inputs.map((_, index) => c.shape(index));
  const first = shapes.find((shape) => shape !== null);
  if (!first) return tensor(type, null);
  const at = c.axis(c.int('axis', 1), first.length);
  shapes.forEach((shape, index) => {
    if (!shape) return;
    const fits = shape.every((dim, axis) => axis === at || compatible(dim, first[axis] ?? null));
    if (shape.length !== first.length || !fits)
      c.refuse(index, `like the other inputs ([${first.map((dim) => dim ?? '?')}]) but for axis ${at}`);
  });
  const lengths = shapes.map((shape) => shape?.[at] ?? null);
  const shape = first.map((_, axis) => {
    if (axis === at) return sum(lengths);
    return shapes.map((one) => one?.[axis] ?? null).find((dim) => typeof dim === 'number') ?? first[axis] ?? null;
  });
  const lists = c.inputs.map((_, index) => c.values(index));
  const values = first.length === 1 && lists.every((list) => list !== null) ? lists.flat() : null;
  return tensor(type, shape, values);
}

/** Whether two axes can have the same length. */
export function compatible(a: Dim, b: Dim): boolean {
  return typeof a !== 'number' || typeof b !== 'number' || a === b;
}

function sum(dims: Dims): Dim {
  const all = numbers(dims);
  return all ? all.reduce((total, length) => total + length, 0) : null;
}

function split(c: Call): readonly Fact[] {
  const shape = c.shape(0);
  const pieces = c.node.outputs.length;
  const lengths = c.list('split', 1);
  if (!shape) return c.node.outputs.map(() => tensor(c.type(0), null));
  const at = c.axis(c.int('axis', 0), shape.length);
  const whole = shape[at] ?? null;
  if (lengths && typeof whole === 'number' && sum(lengths) !== whole)
    c.refuse(0, `of length ${sum(lengths)} along axis ${at}, the sum of split [${lengths}]`);
  // Without lengths the pieces are equal, but for the last, which may be shorter.
  const step = typeof whole === 'number' ? Math.ceil(whole / pieces) : null;
  return c.node.outputs.map((_, index) => {
    const equal = step === null || typeof whole !== 'number' ? null : Math.min(step, whole - index * step);
    return tensor(c.type(0), shape.with(at, lengths ? (lengths[index] ?? null) : lengths === null ? null : equal));
  });
}

function slice(c: Call): Fact {
  const shape = c.shape(0);
  const starts = c.list('starts', 1);
  const ends = c.list('ends', 2);
  const axes = c.list('axes', 3) ?? (c.has(3) ? null : starts && [...starts.keys()]);
  const steps = c.has(4) ? numbers(c.values(4)) : undefined;
  if (!shape) return tensor(c.type(0), null);
  if (!axes) return tensor(c.type(0), unknownDims(shape.length));
  const places = axes.map((axis) => c.axis(axis, shape.length));
  const cut = [...shape];
  let values = shape.length === 1 ? c.values(0) : null;
  places.forEach((axis, index) => {
    const [start, end, step] = [starts?.[index], ends?.[index], steps === undefined ? 1 : steps?.[index]];
    const length = shape[axis];
    const bounds = [start, end, step].every((bound) => bound !== undefined);
    cut[axis] = null;
    if (typeof length === 'number' && bounds) {
      const picked = range(length, start ?? 0, end ?? 0, step ?? 1);
      cut[axis] = picked.count;
      values = values && places.length === 1 ? pick(values, picked) : null;
    } else {
      // The whole of a named axis keeps its name.
      if (start === 0 && (end ?? 0) >= 2 ** 31 - 1 && step === 1) cut[axis] = length ?? null;
      values = null;
    }
  });
  return tensor(c.type(0), cut, values);
}

/** NumPy's rule: negative bounds count from the end, then bounds are clamped to the axis. */
function range(
  length: number,
  start: number,
  end: number,
  step: number,
): { first: number; count: number; step: number } {
  const clamp = (bound: number, low: number, high: number) =>
    Math.min(Math.max(bound < 0 ? bound + length : bound, low), high);
  const first = step > 0 ? clamp(start, 0, length) : clamp(start, 0, length - 1);
  const last = step > 0 ? clamp(end, 0, length) : clamp(end, -1, length - 1);
  return { first, count: Math.max(0, Math.ceil((last - first) / step)), step };
}

function pick(values: Dims, { first, count, step }: { first: number; count: number; step: number }): Dim[] {
  return Array.from({ length: count }, (_, index) => values[first + index * step] ?? null);
}

function pad(c: Call): Fact {
  const shape = c.shape(0);
  const pads = c.ints('paddings') ?? c.list('pads', 1);
  if (!shape) return tensor(c.type(0), null);
  if (!pads) return tensor(c.type(0), unknownDims(shape.length));
  const chosen = c.has(3) ? numbers(c.values(3)) : [...shape.keys()];
  if (!chosen) return tensor(c.type(0), unknownDims(shape.length));
  const axes = chosen.map((axis) => c.axis(axis, shape.length));
  if (pads.length !== 2 * axes.length) c.fail(`pads has ${pads.length} numbers, expected two for each of ${axes}`);
  const padded = shape.map((dim, axis) => {
    const at = axes.indexOf(axis);
    const more = at < 0 ? 0 : (pads[at] ?? 0) + (pads[at + axes.length] ?? 0);
    return more === 0 ? dim : typeof dim === 'number' ? dim + more : null;
  });
  return tensor(c.type(0), padded);
}

function blocks(c: Call, deeper: boolean): Fact {
  const [n = null, channels = null, h = null, w = null] = c.ranked(0, 4) ?? [];
  const block = c.int('blocksize', 1);
  const less = (dim: Dim, by: number): Dim => (typeof dim === 'number' ? dim / by : null);
  const out = deeper
    ? [n, times(channels, block * block), less(h, block), less(w, block)]
    : [n, less(channels, block * block), times(h, block), times(w, block)];
  return tensor(c.type(0), out);
}

function centerCropPad(c: Call): Fact {
  const shape = c.shape(0);
  const target = c.values(1);
  if (!shape) return tensor(c.type(0), null);
  const axes = (c.ints('axes') ?? [...shape.keys()]).map((axis) => c.axis(axis, shape.length));
  const out = shape.map((dim, axis) => (axes.includes(axis) ? (target?.[axes.indexOf(axis)] ?? null) : dim));
  return tensor(c.type(0), out);
}

/** The rules of this file. */
export const LAYOUT: Rules = {
  Reshape: reshape,
  Flatten: flatten,
  Transpose: transpose,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Expand: expand,
  Tile: tile,
  Concat: concat,
  Split: split,
  Slice: slice,
  Pad: pad,
  DepthToSpace: (c) => blocks(c, false),
  SpaceToDepth: (c) => blocks(c, true),
  CenterCropPad: centerCropPad,
};
