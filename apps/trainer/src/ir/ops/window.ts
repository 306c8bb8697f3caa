/** Windows that slide over the axes behind [N,C]: what convolutions and pools share. Computes lengths, adds no node. */
import type { Value } from '../builder.ts';
import type { OpName } from '../ops.ts';
import type { Attribute } from '../types.ts';
import { expectLength, ints, refuse, refuseArgument } from './check.ts';

/** How a window moves; lists have one number per spatial axis, pads all beginnings, then all ends. */
export interface Sliding {
  readonly strides?: readonly number[] | undefined;
  readonly pads?: readonly number[] | undefined;
  readonly dilations?: readonly number[] | undefined;
}

/** The same with nothing left out. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly pads: readonly number[];
  readonly dilations: readonly number[];
}

/** Requires x [N,C,...] of one spatial axis per axis of the kernel, and lists of fitting lengths. */
export function windowOf(op: OpName, x: Value, kernel: readonly number[], sliding: Sliding): Window {
  const axes = kernel.length;
  if (axes === 0 || x.shape.length !== axes + 2) refuse(op, 0, x, `[N,C] and ${axes} more axes`);
  const ones = new Array<number>(axes).fill(1);
  const { strides = ones, dilations = ones, pads = new Array<number>(2 * axes).fill(0) } = sliding;
  const window = { kernel, strides, pads, dilations };
  for (const [name, list] of Object.entries(window)) {
    const [length, least] = [name === 'pads' ? 2 * axes : axes, name === 'pads' ? 0 : 1];
    if (list.length !== length || list.some((value) => !Number.isInteger(value) || value < least))
      refuseArgument(op, x, `${name} [${list}] must be ${length} integers of at least ${least}`);
  }
  return window;
}

/** How far a window of one axis reaches. */
export function reach({ kernel, dilations }: Window, axis: number): number {
  return ((kernel[axis] ?? 1) - 1) * (dilations[axis] ?? 1) + 1;
}

/** Padding of a spatial axis in front and behind. */
export function padsOf({ kernel, pads }: Window, axis: number): [number, number] {
  return [pads[axis] ?? 0, pads[axis + kernel.length] ?? 0];
}

/** Windows along each spatial axis of x. */
export function placesOf(op: OpName, x: Value, window: Window): number[] {
  return window.kernel.map((_, axis) => {
    const [before, after] = padsOf(window, axis);
    const room = expectLength(op, 0, x, axis + 2) + before + after - reach(window, axis);
    if (room < 0) refuseArgument(op, x, `the window reaches ${reach(window, axis)} along spatial axis ${axis}`);
    return Math.floor(room / (window.strides[axis] ?? 1)) + 1;
  });
}

/** The window as attributes. */
export function windowAttributes({ kernel, strides, pads, dilations }: Window): Record<string, Attribute> {
  return { kernel_shape: ints(kernel), strides: ints(strides), pads: ints(pads), dilations: ints(dilations) };
}
