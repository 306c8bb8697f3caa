/** Gradients of matrix products. */
import type { Value } from '../../ir/builder.ts';
import * as op from '../../ir/ops.ts';
import { sizeOf } from '../../ir/shapes.ts';
import { intOf, lengthsOf, type Rule, rule, sumTo } from '../rule.ts';

/** Y = AB: dA = dY Bt, dB = At dY; Gemm transposes while it multiplies, so that nothing is copied. */
export const MatMul = rule((dy, _, a, b) => {
  if (b.shape.length === 2) {
    const da = op.Gemm(asMatrix(dy), b, { transB: true });
    const db = op.Gemm(asMatrix(a), asMatrix(dy), { transA: true });
    return [a.shape.length === 2 ? da : op.Reshape(da, a.shape), db];
  }
  const da = op.MatMul(dy, transposed(b));
  const db = op.MatMul(transposed(a), dy);
  return [sumTo(da, a.shape), sumTo(db, b.shape)];
});

/** Y = op(A) op(B) + C, each of the four cases as one Gemm. */
export const Gemm: Rule = (node, [dy]) => {
  const [a, b, c] = node.inputs;
  if (!a || !b || !dy) return [null, null, null];
  const [transA, transB] = [intOf(node, 'transA') === 1, intOf(node, 'transB') === 1];
  const da = transA ? op.Gemm(b, dy, { transA: transB, transB: true }) : op.Gemm(dy, b, { transB: !transB });
  const db = transB ? op.Gemm(dy, a, { transA: true, transB: transA }) : op.Gemm(a, dy, { transA: !transA });
  return [da, db, c ? sumTo(dy, c.shape) : null];
};

/** All leading axes as one: what a batch is to a weight matrix. */
function asMatrix(x: Value): Value {
  if (x.shape.length === 2) return x;
  const lengths = lengthsOf(x);
  return op.Reshape(x, [sizeOf(lengths.slice(0, -1)), lengths.at(-1) ?? 1]);
}

function transposed(x: Value): Value {
  const axes = [...x.shape.keys()];
  return op.Transpose(x, [...axes.slice(0, -2), axes.length - 1, axes.length - 2]);
}
