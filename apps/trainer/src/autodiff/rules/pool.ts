/** Gradients of pools. */
import type { Value } from '../../ir/builder.ts';
import { padsOf, type Window } from '../../ir/ops/window.ts';
import * as op from '../../ir/ops.ts';
import { sizeOf } from '../../ir/shapes.ts';
import { intOf, lengthsOf, type Rule, rule, zerosLike } from '../rule.ts';
import { elementsAt, fitted, offsetsOf, padded, spread, windowOfNode } from '../windows.ts';

/**
 * All of it to one largest number of each window. On the CPU by halves, or by the place that the pool remembers
 * (measured on a small CNN: half the time of searching); WebGPU has no MaxUnpool, and its scatter-add is not
 * repeatable, so there every window is searched again.
 */
export const MaxPool: Rule = (node, [dy], { target }) => {
  const [x] = node.inputs;
  const [y, indices] = node.outputs;
  if (!x || !y || !indices || !dy) return [];
  const window = windowOfNode(node);
  if (target === 'WEBGPU') return [byComparing(x, y, dy, window)];
  const shape = lengthsOf(x);
  if (halving(window, shape)) return [byHalves(x, dy, window.kernel.length)];
  if (apart(window) && x.type === 'FLOAT') return [op.MaxUnpool(dy, indices, { ...window, shape })];
  const flat = (value: Value) => op.Reshape(value, [sizeOf(lengthsOf(value))]);
  return [op.Reshape(op.ScatterElements(flat(zerosLike(x)), flat(indices), flat(dy)), shape)];
};

/** The numbers at the places. */
export const MaxUnpool: Rule = (node, [dy]) => {
  const [x, indices] = node.inputs;
  if (!x || !indices || !dy) return [];
  const flat = (value: Value) => op.Reshape(value, [sizeOf(lengthsOf(value))]);
  return [op.Reshape(op.GatherElements(flat(dy), flat(indices)), lengthsOf(x)), null, null];
};

/** Each number's share of the window's slope; where windows overlap, the sum of them. */
export const AveragePool: Rule = (node, [dy]) => {
  const [x] = node.inputs;
  if (!x || !dy) return [];
  const window = windowOfNode(node);
  const [rows = 1, channels = 1, ...sides] = lengthsOf(x);
  const [, , ...places] = lengthsOf(dy);
  const counts = intOf(node, 'count_include_pad') === 1 ? sizeOf(window.kernel) : countsOf(window, sides, places);
  const share =
    typeof counts === 'number'
      ? op.Mul(dy, 1 / counts)
      : op.Div(dy, x.graph.constant(x.type, [1, 1, ...places], counts));
  if (apart(window) && places.every((count, axis) => count * (window.kernel[axis] ?? 1) === sides[axis]))
    return [repeated(share, window)];
  return [
    putBack(
      offsetsOf(window).map((offset) => ({ offset, part: share })),
      window,
      [rows, channels, ...sides],
    ),
  ];
};

/** The same share for every number of the channel. */
export const GlobalAveragePool = rule((dy, _, x) => {
  const lengths = lengthsOf(x);
  return [op.Expand(op.Mul(dy, 1 / sizeOf(lengths.slice(2))), lengths)];
});

/** The largest has all of it; equal ones share. */
export const GlobalMaxPool = rule((dy, y, x) => {
  const largest = op.Cast(op.Equal(x, y), x.type);
  const axes = [...x.shape.keys()].slice(2);
  return [op.Mul(largest, op.Div(dy, op.ReduceSum(largest, { axes, keep: true })))];
});

/** Windows of 2 that tile every axis. */
function halving(window: Window, shape: readonly number[]): boolean {
  const two = window.kernel.every((length, axis) => length === 2 && window.strides[axis] === 2);
  return two && apart(window) && shape.slice(2).every((length) => length % 2 === 0);
}

/**
 * One axis after the other: of each pair the larger (the first of equal ones) has the slope. Comparing twice and
 * stacking is half the time of asking the pool for indices (measured: 1.7 against 3.4 ms for [32,16,32,32]).
 */
function byHalves(x: Value, dy: Value, axes: number): Value {
  const axis = 1 + axes; // the last axis that is not yet halved
  if (axes === 0) return dy;
  const lengths = lengthsOf(x);
  const inner = sizeOf(lengths.slice(axis + 1));
  const [lead, half] = [sizeOf(lengths.slice(0, axis)), (lengths[axis] ?? 2) / 2];
  // Pairs of single numbers are told apart by a transpose, which is faster than a Split of parts of length 1.
  const apartFirst = inner === 1;
  const pairs = op.Reshape(x, [lead * half, 2, inner]);
  const turned = apartFirst ? op.Transpose(pairs, [1, 0, 2]) : pairs;
  const at = apartFirst ? 0 : 1;
  const [first, second] = op.Split(turned, [1, 1], at);
  if (!first || !second) return dy;
  const halved = op.Reshape(op.Max(first, second), lengths.with(axis, half));
  const slope = op.Reshape(byHalves(halved, dy, axes - 1), first.shape);
  const toSecond = op.Mul(op.Cast(op.Greater(second, first), x.type), slope);
  const both = op.Concat([op.Sub(slope, toSecond), toSecond], at);
  return op.Reshape(apartFirst ? op.Transpose(both, [1, 0, 2]) : both, lengths);
}

/** No two windows share a number, and none reaches into padding. */
function apart({ kernel, strides, pads, dilations }: Window): boolean {
  const dense = dilations.every((step) => step === 1) && pads.every((pad) => pad === 0);
  return dense && kernel.every((length, axis) => length <= (strides[axis] ?? 1));
}

/** How many real numbers each window has. */
function countsOf(window: Window, sides: readonly number[], places: readonly number[]): number | number[] {
  if (window.pads.every((pad) => pad === 0)) return sizeOf(window.kernel);
  const alongAxis = places.map((count, axis) =>
    Array.from({ length: count }, (_, place) => {
      const start = place * (window.strides[axis] ?? 1) - padsOf(window, axis)[0];
      const taps = Array.from(
        { length: window.kernel[axis] ?? 1 },
        (__, at) => start + at * (window.dilations[axis] ?? 1),
      );
      return taps.filter((at) => at >= 0 && at < (sides[axis] ?? 1)).length;
    }),
  );
  return alongAxis.reduce((all, counts) => all.flatMap((product) => counts.map((count) => product * count)), [1]);
}

/** Every number of dY as often as its window is large. */
function repeated(dy: Value, { kernel }: Window): Value {
  const [rows = 1, channels = 1, ...places] = lengthsOf(dy);
  const axes = kernel.map((_, axis) => 3 + 2 * axis);
  const wide = places.flatMap((count, axis) => [count, kernel[axis] ?? 1]);
  const whole = places.map((count, axis) => count * (kernel[axis] ?? 1));
  return op.Reshape(op.Expand(op.Unsqueeze(dy, axes), [rows, channels, ...wide]), [rows, channels, ...whole]);
}

/** Every window is searched in order; the first number that equals the largest has the slope. */
function byComparing(x: Value, y: Value, dy: Value, window: Window): Value {
  const places = lengthsOf(y).slice(2);
  const source = padded(x, window, -3.4e38); // what MaxPool fills up with: below every number
  let open: Value | null = null;
  const parts = offsetsOf(window).map((offset) => {
    const equal = op.Equal(elementsAt(source, window, offset, places), y);
    const first: Value = open ? op.And(equal, open) : equal;
    open = open ? op.And(open, op.Not(equal)) : op.Not(equal);
    return { offset, part: op.Where(first, dy, 0) };
  });
  return putBack(parts, window, lengthsOf(x));
}

/** The sum of parts, each one number per window, at their places in the tensor that the windows were cut from. */
function putBack(
  parts: readonly { readonly offset: readonly number[]; readonly part: Value }[],
  window: Window,
  shape: readonly number[],
): Value {
  const outer = shape.map((length, axis) => {
    const [before, after] = axis < 2 ? [0, 0] : padsOf(window, axis - 2);
    return length + before + after;
  });
  const spreads = parts.map(({ offset, part }) =>
    window.kernel.reduce((value, _, axis) => {
      const before = (offset[axis] ?? 0) * (window.dilations[axis] ?? 1);
      return fitted(spread(value, axis + 2, window.strides[axis] ?? 1), axis + 2, before, outer[axis + 2] ?? 1);
    }, part),
  );
  const sum = spreads.reduce((a, b) => op.Add(a, b));
  const ranges = window.kernel.map((_, axis) => {
    const start = padsOf(window, axis)[0];
    return { axis: axis + 2, start, end: start + (shape[axis + 2] ?? 1) };
  });
  return window.pads.every((pad) => pad === 0) ? sum : op.Slice(sum, ranges);
}
