/** Convolution over images. */
import type { Value } from '../../ir/builder.ts';
import * as op from '../../ir/ops.ts';
import { axisOf } from '../axes.ts';
import { heNormal, zeros } from '../initialisers.ts';
import type { Module } from '../module.ts';

/** A square convolution. */
export interface ConvOptions {
  readonly channels: number;
  /** Side of the kernel, odd. */
  readonly kernel: number;
  readonly stride?: number;
  /** Left out in front of batch norm, which takes every constant away again. */
  readonly bias?: boolean;
}

/** [N,C,H,W] -> [N,channels,H/stride,W/stride], padded with zeros on all sides; sides are rounded up. */
export function conv(m: Module, name: string, x: Value, o: ConvOptions): Value {
  const { channels, kernel, stride = 1, bias = true } = o;
  return m.scope(name, () => {
    const inputs = axisOf(x, 1);
    const fanIn = inputs * kernel * kernel;
    const weight = m.parameter('weight', [channels, inputs, kernel, kernel], heNormal(fanIn));
    const b = bias ? m.parameter('bias', [channels], zeros) : undefined;
    const pad = (kernel - 1) / 2;
    return op.Conv(x, weight, { bias: b, strides: [stride, stride], pads: [pad, pad, pad, pad] });
  });
}
