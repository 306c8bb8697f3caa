/** Gradients of operations that move elements: the move, undone. */
import * as op from '../../ir/ops.ts';
import { sameShape } from '../../ir/shapes.ts';
import { constantOf, intOf, intsOf, lengthsOf, type Rule, rule, sumTo, zerosLike } from '../rule.ts';
import { spread } from '../windows.ts';

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

/** Zeros around the part that was taken, and between its elements where it took steps. */
export const Slice: Rule = (node, [dy]) => {
  const [x] = node.inputs;
  if (!x || !dy) return [null];
  const [starts, axes] = [constantOf(node, 1), constantOf(node, 3)];
  const steps = node.inputs[4] ? constantOf(node, 4) : [];
  const outer = lengthsOf(x);
  const apart = axes.reduce((value, axis, index) => spread(value, axis, steps[index] ?? 1), dy);
  const before = outer.map((_, axis) => starts[axes.indexOf(axis)] ?? 0);
  // Spreading leaves zeros behind the last element too, more of them than there may be room for.
  const inner = lengthsOf(apart).map((length, axis) => Math.min(length, (outer[axis] ?? 0) - (before[axis] ?? 0)));
  const ranges = inner.map((end, axis) => ({ axis, start: 0, end }));
  const part = sameShape(inner, apart.shape) ? apart : op.Slice(apart, ranges);
  const after = outer.map((length, axis) => length - (inner[axis] ?? 0) - (before[axis] ?? 0));
  return [op.Pad(part, before, after), null, null, null, null];
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

/** The copies are summed. */
export const Tile: Rule = (node, [dy]) => {
  const [x] = node.inputs;
  if (!x || !dy) return [];
  const repeats = constantOf(node, 1);
  const wide = lengthsOf(x).flatMap((length, axis) => [repeats[axis] ?? 1, length]);
  return [op.ReduceSum(op.Reshape(dy, wide), { axes: repeats.map((_, axis) => 2 * axis) }), null];
};

function inverseOf(perm: readonly number[]): number[] {
  return perm.map((_, axis) => perm.indexOf(axis));
}
