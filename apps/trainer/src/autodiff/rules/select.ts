/** Gradients of operations that pick or place elements: the gradient is placed or picked. */
import type { Value } from '../../ir/builder.ts';
import * as op from '../../ir/ops.ts';
import { sizeOf } from '../../ir/shapes.ts';
import { intOf, lengthsOf, type Rule, textOf, zerosLike } from '../rule.ts';
import { fitted } from '../windows.ts';

/** Slices that were picked several times collect several gradients. */
export const Gather: Rule = (node, [dy], { target }) => {
  const [data, indices] = node.inputs;
  if (!data || !indices || !dy) return [null];
  const axis = intOf(node, 'axis');
  const moved = [...indices.shape.keys()].map((at) => at + axis);
  const toFront = [...moved, ...[...dy.shape.keys()].filter((at) => !moved.includes(at))];
  const order = [axis, ...[...data.shape.keys()].filter((at) => at !== axis)];
  const slopes = axis === 0 ? dy : op.Transpose(dy, toFront);
  const like = axis === 0 ? data : op.Transpose(data, order);
  const sum = target === 'CPU' ? scattered(like, indices, slopes) : summed(like, indices, slopes);
  return [axis === 0 ? sum : op.Transpose(sum, inverseOf(order)), null];
};

/** The elements are added back where they came from. */
export const GatherElements: Rule = (node, [dy], { target }) => {
  const [data, indices] = node.inputs;
  if (!data || !indices || !dy) return [];
  const axis = intOf(node, 'axis');
  if (target === 'CPU') return [op.ScatterElements(zerosLike(data), indices, dy, axis), null];
  const all = lengthsOf(data);
  const choice = oneHot(op.Unsqueeze(indices, [axis]), all[axis] ?? 1, axis, dy);
  const sum = op.ReduceSum(op.Mul(choice, op.Unsqueeze(dy, [axis])), { axes: [axis + 1] });
  return [all.reduce((value, length, at) => fitted(value, at, 0, length), sum), null];
};

/** What was added to stays, and what was added is picked again. */
export const ScatterElements: Rule = (node, [dy]) => {
  const [, indices] = node.inputs;
  if (!indices || !dy) return [];
  return [dy, null, op.GatherElements(dy, indices, intOf(node, 'axis'))];
};

/** The parts are added back where they came from. */
export const GatherND: Rule = (node, [dy]) => {
  const [data, indices] = node.inputs;
  if (!data || !indices || !dy) return [];
  return [op.ScatterND(zerosLike(data), indices, dy), null];
};

/** As ScatterElements; elements that were overwritten have no gradient. */
export const ScatterND: Rule = (node, [dy]) => {
  const [, indices, updates] = node.inputs;
  if (!indices || !updates || !dy) return [];
  const kept = textOf(node, 'reduction') === 'add' ? dy : op.ScatterND(dy, indices, zerosLike(updates), 'none');
  return [kept, null, op.GatherND(dy, indices)];
};

/** dx[i] = sum of dy[j] over j >= i = all - those up to and including i + dy[i] */
export const CumSum: Rule = (node, [dy]) => {
  const at = node.inputs[1]?.constant;
  if (!dy || !at || !(at.data instanceof Uint8Array)) return [];
  const axis = at.data[0] ?? 0;
  return [op.Add(op.Sub(op.ReduceSum(dy, { axes: [axis], keep: true }), op.CumSum(dy, axis)), dy), null];
};

/** Added one by one: the fastest on the CPU, in a fixed order. */
function scattered(like: Value, indices: Value, dy: Value): Value {
  return op.ScatterND(zerosLike(like), op.Unsqueeze(op.Cast(indices, 'INT64'), [-1]), dy);
}

/** One product with a matrix of choices: WebGPU adds atomically, in another order each time. */
function summed(like: Value, indices: Value, dy: Value): Value {
  const [entries = 1, ...rest] = lengthsOf(like);
  const [picks, width] = [sizeOf(lengthsOf(indices)), sizeOf(rest)];
  const choice = oneHot(op.Reshape(indices, [1, picks]), entries, 0, dy); // [entries, picks]
  return op.Reshape(op.MatMul(choice, op.Reshape(dy, [picks, width])), lengthsOf(like));
}

/** 1 where the place along an axis (which has length 1 in `indices`) is the index. */
function oneHot(indices: Value, length: number, axis: number, like: Value): Value {
  const shape = indices.shape.map((_, at) => (at === axis ? length : 1));
  const places = indices.graph.constant(
    'INT32',
    shape,
    Int32Array.from({ length }, (_, at) => at),
  );
  return op.Cast(op.Equal(op.Cast(indices, 'INT32'), places), like.type);
}

function inverseOf(perm: readonly number[]): number[] {
  return perm.map((_, axis) => perm.indexOf(axis));
}
