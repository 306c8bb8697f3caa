/** Kernels that move elements: reshape, transpose, join, cut, select. */
import { DATA_TYPES } from '../../ir/types.ts';
import { type Call, fromFront, type Kernels } from './call.ts';
import type { Tensor } from './tensorflow.ts';

/** The shape that two shapes broadcast to. */
function joint(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const [x, y] = [a[axis - rank + a.length] ?? 1, b[axis - rank + b.length] ?? 1];
    return x === 1 ? y : x;
  });
}

/** Lengths of pieces: given, or equal ones. */
function pieces(call: Call, length: number): number[] {
  const given = call.known(1);
  if (given) return given;
  const count = call.node.outputs.length;
  const size = Math.ceil(length / count);
  return Array.from({ length: count }, (_, index) => Math.min(size, length - index * size));
}

/** Bounds as the standard has them: negative ones count from the end, larger ones are cut. */
function slice(call: Call): Tensor {
  const x = call.input(0);
  const [starts = [], ends = []] = [call.known(1) ?? [], call.known(2) ?? []];
  const axes = call.known(3) ?? starts.map((_, index) => index);
  if (call.known(4)?.some((step) => step !== 1)) call.fail('steps other than 1 have no gradient in TensorFlow.js');
  const begin = x.shape.map(() => 0);
  const size = [...x.shape];
  axes.forEach((named, index) => {
    const axis = fromFront(named, x.rank);
    const length = x.shape[axis] ?? 0;
    const place = (bound = 0) => Math.min(length, Math.max(0, bound < 0 ? bound + length : bound));
    begin[axis] = place(starts[index]);
    size[axis] = Math.max(0, place(ends[index]) - place(starts[index]));
  });
  return call.tf.slice(x, begin, size);
}

function pad(call: Call): Tensor {
  const x = call.input(0);
  if (call.text('mode', 'constant') !== 'constant') call.fail('only the mode "constant" is here');
  const amounts = call.known(1) ?? [];
  const pairs = x.shape.map((_, axis): [number, number] => [amounts[axis] ?? 0, amounts[axis + x.rank] ?? 0]);
  return call.tf.pad(x, pairs, call.known(2)?.[0] ?? 0);
}

const TYPES = new Map<number, 'float32' | 'int32' | 'bool'>([
  [DATA_TYPES.FLOAT.number, 'float32'],
  [DATA_TYPES.INT32.number, 'int32'],
  [DATA_TYPES.BOOL.number, 'bool'],
]);

export const LAYOUT: Kernels = {
  Cast: (call) => {
    const type = TYPES.get(call.int('to', 0)) ?? call.fail('TensorFlow.js has FLOAT, INT32 and BOOL only');
    return call.tf.cast(call.input(0), type);
  },
  Reshape: (call) => {
    const x = call.input(0);
    const shape = (call.known(1) ?? []).map((dim, axis) => (dim === 0 ? (x.shape[axis] ?? 0) : dim));
    return call.tf.reshape(x, shape);
  },
  Transpose: (call) => call.tf.transpose(call.input(0), call.ints('perm') ?? undefined),
  Squeeze: (call) => {
    const x = call.input(0);
    const axes = call.known(1)?.map((axis) => fromFront(axis, x.rank));
    return call.tf.reshape(
      x,
      x.shape.filter((dim, axis) => (axes ? !axes.includes(axis) : dim !== 1)),
    );
  },
  Unsqueeze: (call) => {
    const x = call.input(0);
    const given = call.known(1) ?? [];
    const rank = x.rank + given.length;
    const axes = given.map((axis) => fromFront(axis, rank));
    const rest = [...x.shape];
    const shape = Array.from({ length: rank }, (_, axis) => (axes.includes(axis) ? 1 : (rest.shift() ?? 1)));
    return call.tf.reshape(x, shape);
  },
  Expand: (call) => call.tf.broadcastTo(call.input(0), joint(call.input(0).shape, call.known(1) ?? [])),
  Tile: (call) => call.tf.tile(call.input(0), call.known(1) ?? []),
  Concat: (call) => call.tf.concat(call.inputs, fromFront(call.int('axis', 0), call.input(0).rank)),
  Split: (call) => {
    const x = call.input(0);
    const axis = fromFront(call.int('axis', 0), x.rank);
    return call.tf.split(x, pieces(call, x.shape[axis] ?? 0), axis);
  },
  Slice: slice,
  Pad: pad,
  Gather: (call) => {
    const x = call.input(0);
    return call.tf.gather(x, call.tf.cast(call.input(1), 'int32'), fromFront(call.int('axis', 0), x.rank));
  },
  CumSum: (call) => {
    const x = call.input(0);
    const axis = fromFront(call.known(1)?.[0] ?? 0, x.rank);
    return call.tf.cumsum(x, axis, call.int('exclusive', 0) === 1, call.int('reverse', 0) === 1);
  },
};
