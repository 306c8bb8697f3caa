/** Pools over the axes behind [N,C]. */
import type { Value } from '../builder.ts';
import type { OpName } from '../ops.ts';
import { staticShape } from '../shapes.ts';
import { expectType, int, int64s, ints, only, REAL, refuse } from './check.ts';
import { placesOf, type Sliding, windowAttributes, windowOf } from './window.ts';

/** A window of so many numbers per axis. */
export interface PoolOptions extends Sliding {
  readonly kernel: readonly number[];
}

/** The largest number of each window. The node's second output says where each of them stood, for the gradient. */
export function MaxPool(x: Value, options: PoolOptions): Value {
  expectType('MaxPool', 0, x, REAL);
  const window = windowOf('MaxPool', x, options.kernel, options);
  const shape = [...x.shape.slice(0, 2), ...placesOf('MaxPool', x, window)];
  const outputs = [{ type: x.type, shape }, { type: 'INT64', shape } as const];
  const attributes = windowAttributes(window);
  const [y] = x.graph.emit({ type: 'MaxPool', inputs: [x], outputs, optional: 1, attributes });
  return only(y ? [y] : []);
}

/** Each number at the place that `indices` names in a tensor of this shape, zeros elsewhere. */
export function MaxUnpool(x: Value, indices: Value, o: PoolOptions & { readonly shape: readonly number[] }): Value {
  expectType('MaxUnpool', 0, x, ['FLOAT']);
  expectType('MaxUnpool', 1, indices, ['INT64']);
  const { kernel, strides, pads } = windowOf('MaxUnpool', x, o.kernel, o);
  const attributes = { kernel_shape: ints(kernel), strides: ints(strides), pads: ints(pads) };
  const inputs = [x, indices, int64s(x, o.shape)];
  return only(x.graph.emit({ type: 'MaxUnpool', inputs, outputs: [{ type: x.type, shape: o.shape }], attributes }));
}

/** The mean of each window; zeros of the padding count only if asked. */
export function AveragePool(x: Value, options: PoolOptions & { readonly countIncludePad?: boolean }): Value {
  expectType('AveragePool', 0, x, REAL);
  const window = windowOf('AveragePool', x, options.kernel, options);
  const shape = [...x.shape.slice(0, 2), ...placesOf('AveragePool', x, window)];
  const attributes = { ...windowAttributes(window), count_include_pad: int(options.countIncludePad ? 1 : 0) };
  return only(x.graph.emit({ type: 'AveragePool', inputs: [x], outputs: [{ type: x.type, shape }], attributes }));
}

/** The mean of each channel: [N,C,...] -> [N,C,1...] */
export function GlobalAveragePool(x: Value): Value {
  return global('GlobalAveragePool', x);
}

/** The largest number of each channel: [N,C,...] -> [N,C,1...] */
export function GlobalMaxPool(x: Value): Value {
  return global('GlobalMaxPool', x);
}

function global(op: OpName, x: Value): Value {
  expectType(op, 0, x, REAL);
  const spatial = x.shape.slice(2);
  if (spatial.length === 0 || !staticShape(spatial)) refuse(op, 0, x, '[N,C,...] with known lengths behind');
  const shape = [...x.shape.slice(0, 2), ...spatial.map(() => 1)];
  return only(x.graph.emit({ type: op, inputs: [x], outputs: [{ type: x.type, shape }] }));
}
