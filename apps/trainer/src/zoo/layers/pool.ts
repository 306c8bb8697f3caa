/** Pooling over images. */
import type { Value } from '../../ir/builder.ts';
import * as op from '../../ir/ops.ts';

/** A square window. */
export interface PoolOptions {
  readonly kernel: number;
  readonly stride: number;
  readonly pad?: number;
}

/** The largest number of each window: [N,C,H,W] -> [N,C,H',W'] */
export function maxPool(x: Value, { kernel, stride, pad = 0 }: PoolOptions): Value {
  return op.MaxPool(x, { kernel: [kernel, kernel], strides: [stride, stride], pads: [pad, pad, pad, pad] });
}

/** The mean of each channel: [N,C,H,W] -> [N,C] */
export function globalAveragePool(x: Value): Value {
  return op.ReduceMean(x, { axes: [2, 3] });
}
