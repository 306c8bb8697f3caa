/** Moves that the gradients of convolutions and pools share: windows cut out of a tensor, and put back. */
import type { Operation, Value } from '../ir/builder.ts';
import type { Window } from '../ir/ops/window.ts';
import { padsOf } from '../ir/ops/window.ts';
import * as op from '../ir/ops.ts';
import { intsOf, lengthsOf } from './rule.ts';

/** The window that a node slides. */
export function windowOfNode(node: Operation): Window {
  const [strides, pads, dilations] = ['strides', 'pads', 'dilations'].map((name) => intsOf(node, name));
  return { kernel: intsOf(node, 'kernel_shape'), strides: strides ?? [], pads: pads ?? [], dilations: dilations ?? [] };
}

/** Every place in a window, in row-major order. */
export function offsetsOf({ kernel }: Window): number[][] {
  return kernel.reduce<number[][]>(
    (all, length) => all.flatMap((offset) => Array.from({ length }, (_, at) => [...offset, at])),
    [[]],
  );
}

/** x with the window's padding around its spatial axes. */
export function padded(x: Value, window: Window, fill = 0): Value {
  if (window.pads.every((pad) => pad === 0)) return x;
  const sides = window.kernel.map((_, axis) => padsOf(window, axis));
  return op.Pad(x, [0, 0, ...sides.map(([before]) => before)], [0, 0, ...sides.map(([, after]) => after)], fill);
}

/** Of a padded x, the element at `offset` of every window: [N,C,places...] */
export function elementsAt(x: Value, window: Window, offset: readonly number[], places: readonly number[]): Value {
  const ranges = places.map((count, axis) => {
    const step = window.strides[axis] ?? 1;
    const start = (offset[axis] ?? 0) * (window.dilations[axis] ?? 1);
    return { axis: axis + 2, start, end: start + (count - 1) * step + 1, step };
  });
  const lengths = lengthsOf(x);
  const whole = ranges.every(({ axis, start, end, step }) => start === 0 && step === 1 && end === lengths[axis]);
  return whole ? x : op.Slice(x, ranges);
}

/**
 * `elementsAt` for every offset of a window. Where it strides along the last axis, that is parted once into as many
 * tensors as the stride is long: slices of them copy runs of numbers instead of every other one (measured on
 * [32,32,34,34], nine offsets, stride 2: a third of the time).
 */
export function cutOf(x: Value, window: Window, places: readonly number[]): (offset: readonly number[]) => Value {
  const last = window.kernel.length - 1;
  const [step = 1, dilation = 1] = [window.strides[last], window.dilations[last]];
  if (step === 1 || (window.kernel[last] ?? 1) < 2) return (offset) => elementsAt(x, window, offset, places);
  const phases = parted(x, step);
  const others = { ...window, strides: window.strides.with(last, 1), dilations: window.dilations.with(last, 1) };
  return (offset) => {
    const at = (offset[last] ?? 0) * dilation;
    return elementsAt(phases[at % step] ?? x, others, offset.with(last, Math.floor(at / step)), places);
  };
}

/** Every `step`th number along the last axis, from each start; zeros where there is none. */
function parted(x: Value, step: number): Value[] {
  const lengths = lengthsOf(x);
  const axis = lengths.length - 1;
  const length = Math.ceil((lengths[axis] ?? 1) / step);
  const whole = fitted(x, axis, 0, length * step);
  const grouped = op.Reshape(whole, [...lengths.slice(0, axis), length, step]);
  const turned = op.Transpose(grouped, [axis + 1, ...lengths.keys()]);
  const parts = op.Split(
    turned,
    Array.from({ length: step }, () => 1),
    0,
  );
  return parts.map((part) => op.Reshape(part, lengths.with(axis, length)));
}

/** Zeros between the elements of an axis: each `step`th element of the result, from the first on. */
export function spread(x: Value, axis: number, step: number): Value {
  if (step === 1) return x;
  const lengths = lengthsOf(x);
  const length = lengths[axis] ?? 1;
  const zeros = lengths.map(() => 0);
  const behind = [...zeros, 0].with(axis + 1, step - 1);
  return op.Reshape(op.Pad(op.Unsqueeze(x, [axis + 1]), [...zeros, 0], behind), lengths.with(axis, length * step));
}

/** x cut or filled with zeros to a length along an axis, after so many zeros. */
export function fitted(x: Value, axis: number, before: number, length: number): Value {
  const lengths = lengthsOf(x);
  const has = lengths[axis] ?? 1;
  const kept = has + before > length ? op.Slice(x, [{ axis, start: 0, end: length - before }]) : x;
  const after = length - before - Math.min(has, length - before);
  const zeros = lengths.map(() => 0);
  return before === 0 && after === 0 ? kept : op.Pad(kept, zeros.with(axis, before), zeros.with(axis, after));
}
