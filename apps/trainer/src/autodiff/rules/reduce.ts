/** Gradients of operations that fold or normalise axes. */
import type { Operation, Value } from '../../ir/builder.ts';
import * as op from '../../ir/ops.ts';
import { sizeOf } from '../../ir/shapes.ts';
import { constantOf, intOf, lengthsOf, type Rule } from '../rule.ts';

/** Every element had a share of 1 in the sum. */
export const ReduceSum: Rule = folding((dy, x) => op.Expand(dy, lengthsOf(x)));

/** Every element had a share of 1/n in the mean. */
export const ReduceMean: Rule = folding((dy, x) => {
  const elements = sizeOf(lengthsOf(x)) / sizeOf(lengthsOf(dy));
  return op.Expand(op.Mul(dy, 1 / elements), lengthsOf(x));
});

/** The largest element has all of it; equal ones share, as PyTorch's amax has it. */
export const ReduceMax: Rule = folding((dy, x, y, axes) => {
  const largest = op.Cast(op.Equal(x, y), x.type);
  return op.Div(op.Mul(largest, dy), op.ReduceSum(largest, { axes, keep: true }));
});

/** The smallest element has all of it; equal ones share. */
export const ReduceMin: Rule = ReduceMax;

/** (x^2)' = 2 x x' */
export const ReduceSumSquare: Rule = folding((dy, x) => op.Mul(op.Mul(x, 2), dy));

/** y = softmax(x): dx = y (dy - sum(y dy)) */
export const Softmax: Rule = normalising((dy, y, axes) => {
  return op.Mul(y, op.Sub(dy, op.ReduceSum(op.Mul(y, dy), { axes, keep: true })));
});

/** y = log softmax(x): dx = dy - exp(y) sum(dy) */
export const LogSoftmax: Rule = normalising((dy, y, axes) => {
  return op.Sub(dy, op.Mul(op.Exp(y), op.ReduceSum(dy, { axes, keep: true })));
});

/** A rule that sees dy and y as if the folded axes had been kept with length 1. */
function folding(of: (dy: Value, x: Value, y: Value, axes: readonly number[]) => Value): Rule {
  return (node, [dy]) => {
    const [x] = node.inputs;
    const [y] = node.outputs;
    if (!x || !y || !dy) return [null];
    const axes = constantOf(node, 1);
    const kept = x.shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim));
    const asKept = (value: Value) => (intOf(node, 'keepdims') === 1 ? value : op.Reshape(value, kept));
    return [of(asKept(dy), x, asKept(y), axes), null];
  };
}

function normalising(of: (dy: Value, y: Value, axes: readonly number[]) => Value): Rule {
  return (node: Operation, [dy]) => {
    const [y] = node.outputs;
    return [y && dy ? of(dy, y, [intOf(node, 'axis')]) : null];
  };
}
