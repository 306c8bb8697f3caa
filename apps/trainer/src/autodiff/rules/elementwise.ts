/** Gradients of operations on corresponding elements. x, y: input and output; dy: dL/dy. */
import * as op from '../../ir/ops.ts';
import { constantOf, type Rule, rule, sumTo } from '../rule.ts';

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
/** The builder admits only constant exponents: (x^p)' = p x^(p-1) x' */
export const Pow: Rule = (node, dy) => {
  const [exponent = 1] = constantOf(node, 1);
  return rule((d, _, x) => [op.Mul(d, op.Mul(op.Pow(x, exponent - 1), exponent)), null])(node, dy);
};
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
