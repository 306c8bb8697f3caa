/** Gradients of operations on corresponding elements. x, y: input and output; dy: dL/dy. */

import type { Value } from '../../ir/builder.ts';
import * as op from '../../ir/ops.ts';
import { numbersOf } from '../../ir/tensor.ts';
import { type Rule, rule, sumTo } from '../rule.ts';

/** (a + b)' = a' + b' */
export const Add = rule((dy, _, a, b) => [sumTo(dy, a.shape), sumTo(dy, b.shape)]);
/** (a - b)' = a' - b' */
export const Sub = rule((dy, _, a, b) => [sumTo(dy, a.shape), sumTo(op.Neg(dy), b.shape)]);
/** (ab)' = a'b + ab' */
export const Mul = rule((dy, _, a, b) => [sumTo(op.Mul(dy, b), a.shape), sumTo(op.Mul(dy, a), b.shape)]);
/** (a/b)' = a'/b - yb'/b */
export const Div = rule((dy, y, a, b) => {
  const da = op.Div(dy, b);
  return [sumTo(da, a.shape), sumTo(op.Neg(op.Mul(da, y)), b.shape)];
});
/** (a^b)' = b a^(b-1) a' + y log(a) b'; by b only for positive a, as everywhere else the power has no slope. */
export const Pow = rule((dy, y, a, b) => {
  const exponent = b.constant && b.shape.length === 0 ? numbersOf(b.constant)[0] : undefined;
  if (exponent !== undefined) return [op.Mul(dy, op.Mul(op.Pow(a, exponent - 1), exponent)), null];
  const positive = op.Greater(a, 0);
  const log = op.Where(positive, op.Log(op.Where(positive, a, 1)), 0);
  const da = op.Mul(dy, op.Mul(op.Pow(a, op.Sub(b, 1)), b));
  return [sumTo(da, a.shape), sumTo(op.Mul(dy, op.Mul(y, log)), b.shape)];
});
/** The smaller has it; equal ones share, as in PyTorch. */
export const Min = rule((dy, _, a, b) => chosen(dy, a, b, op.Less(a, b)));
/** The larger has it; equal ones share. */
export const Max = rule((dy, _, a, b) => chosen(dy, a, b, op.Greater(a, b)));
/** sin' = cos */
export const Sin = rule((dy, _, x) => [op.Mul(dy, op.Cos(x))]);
/** cos' = -sin */
export const Cos = rule((dy, _, x) => [op.Neg(op.Mul(dy, op.Sin(x)))]);
/** (1/x)' = -y^2 x' */
export const Reciprocal = rule((dy, y) => [op.Neg(op.Mul(dy, op.Mul(y, y)))]);
/** (-x)' = -x' */
export const Neg = rule((dy) => [op.Neg(dy)]);
/** 0 at the kink, as PyTorch has it */
export const Abs = rule((dy, _, x) => [op.Where(op.Greater(x, 0), dy, op.Where(op.Less(x, 0), op.Neg(dy), 0))]);
/** (e^x)' = y x' */
export const Exp = rule((dy, y) => [op.Mul(dy, y)]);
/** (log x)' = x'/x */
export const Log = rule((dy, _, x) => [op.Div(dy, x)]);
/** (sqrt x)' = x'/2y */
export const Sqrt = rule((dy, y) => [op.Div(op.Mul(dy, 0.5), y)]);
/** erf'(x) = 2/sqrt(pi) exp(-x^2) */
export const Erf = rule((dy, _, x) => [op.Mul(dy, op.Mul(op.Exp(op.Neg(op.Mul(x, x))), 2 / Math.sqrt(Math.PI)))]);
/** Where(Greater) was faster than a product with Sign on ONNX Runtime, and Sign is missing on WebGPU. */
export const Relu = rule((dy, y) => [op.Where(op.Greater(y, 0), dy, 0)]);
/** y' = y (1 - y) x' */
export const Sigmoid = rule((dy, y) => [op.Mul(dy, op.Mul(y, op.Sub(1, y)))]);
/** y' = (1 - y^2) x' */
export const Tanh = rule((dy, y) => [op.Mul(dy, op.Sub(1, op.Mul(y, y)))]);
/** log(1 + e^x)' = sigmoid(x) x' */
export const Softplus = rule((dy, _, x) => [op.Mul(dy, op.Sigmoid(x))]);

/** Passes where x is within the bounds, these included. */
export const Clip: Rule = (node, [dy]) => {
  const [x, low, high] = node.inputs;
  if (!x || !dy) return [null];
  const below = low ? op.Less(x, low) : null;
  const above = high ? op.Greater(x, high) : null;
  const outside = below && above ? op.Or(below, above) : (below ?? above);
  return [outside ? op.Where(outside, 0, dy) : dy, null, null];
};

/** Each branch has the gradient where it was taken. */
export const Where = rule((dy, _, condition, a, b) => [
  null,
  sumTo(op.Where(condition, dy, 0), a.shape),
  sumTo(op.Where(condition, 0, dy), b.shape),
]);

/** y' = x' */
export const Identity = rule((dy) => [dy]);
/** Only a cast between real types passes a gradient; integers have none. */
export const Cast = rule((dy, _, x) => [x.type === 'FLOAT' || x.type === 'DOUBLE' ? op.Cast(dy, x.type) : null]);

function chosen(dy: Value, a: Value, b: Value, first: Value): readonly Value[] {
  const half = op.Where(op.Equal(a, b), op.Mul(dy, 0.5), 0);
  const second = op.Or(first, op.Equal(a, b));
  return [sumTo(op.Where(first, dy, half), a.shape), sumTo(op.Where(second, half, dy), b.shape)];
}
