/** Gradients of operations that move elements: the move, undone. */
import * as op from '../../ir/ops.ts';
import { constantOf, intOf, intsOf, lengthsOf, type Rule, rule, sumTo, zerosLike } from '../rule.ts';

/** The same elements, shaped back. */
export const Reshape = rule((dy, _, x) => [op.Reshape(dy, x.shape), null]);
/** The axes come back. */
export const Squeeze = rule((dy, _, x) => [op.Reshape(dy, x.shape), null]);
/** The axes go again. */
export const Unsqueeze = rule((dy, _, x) => [op.Reshape(dy, x.shape), null]);
/** What was repeated is summed. */
export const Expand = rule((dy, _, x) => [sumTo(dy, x.shape), null]);

/** The inverse permutation. */
export const Transpose: Rule = (node, [dy]) => {
  return [dy ? op.Transpose(dy, inverseOf(intsOf(node, 'perm'))) : null];
};

/** Every part gets its piece. */
export const Concat: Rule = (node, [dy]) => {
  if (!dy) return [];
  const axis = intOf(node, 'axis');
  const lengths = node.inputs.map((x) => (x ? (lengthsOf(x)[axis] ?? 0) : 0));
  return op.Split(dy, lengths, axis);
};

/** The pieces side by side; one that nothing depends on is zero. */
export const Split: Rule = (node, dy) => {
  const parts = node.outputs.map((y, index) => dy[index] ?? zerosLike(y));
  return [op.Concat(parts, intOf(node, 'axis')), null];
};

/** Zeros around the part that was taken. */
export const Slice: Rule = (node, [dy]) => {
  const [x] = node.inputs;
  if (!x || !dy) return [null];
  const [starts, axes] = [constantOf(node, 1), constantOf(node, 3)];
  const [outer, inner] = [lengthsOf(x), lengthsOf(dy)];
  const before = outer.map((_, axis) => starts[axes.indexOf(axis)] ?? 0);
  const after = outer.map((length, axis) => length - (inner[axis] ?? 0) - (before[axis] ?? 0));
  return [op.Pad(dy, before, after), null, null, null];
};

/** The part between the zeros. */
export const Pad: Rule = (node, [dy]) => {
  const [x] = node.inputs;
  if (!x || !dy) return [null];
  const before = constantOf(node, 1);
  const ranges = lengthsOf(x).map((length, axis) => {
    const start = before[axis] ?? 0;
    return { axis, start, end: start + length };
  });
  return [op.Slice(dy, ranges), null];
};

/** Rows that were picked several times collect several gradients: a scatter that adds. */
export const Gather: Rule = (node, [dy]) => {
  const [data, indices] = node.inputs;
  if (!data || !indices || !dy) return [null];
  const axis = intOf(node, 'axis');
  const moved = [...indices.shape.keys()].map((at) => at + axis);
  const toFront = [...moved, ...[...dy.shape.keys()].filter((at) => !moved.includes(at))];
  const order = [axis, ...[...data.shape.keys()].filter((at) => at !== axis)];
  const places = op.Unsqueeze(op.Cast(indices, 'INT64'), [-1]);
  const zeros = zerosLike(axis === 0 ? data : op.Transpose(data, order));
  const sum = op.ScatterND(zeros, places, axis === 0 ? dy : op.Transpose(dy, toFront));
  return [axis === 0 ? sum : op.Transpose(sum, inverseOf(order)), null];
};

function inverseOf(perm: readonly number[]): number[] {
  return perm.map((_, axis) => perm.indexOf(axis));
}
