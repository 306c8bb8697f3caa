/** Gradients of activation functions. x, y: input and output; dy: dL/dy. */
import * as op from '../../ir/ops.ts';
import { floatOf, type Rule, rule, textOf } from '../rule.ts';

/** 1 above 0, the slope below. */
export const LeakyRelu: Rule = (node, dy, context) =>
  rule((d, _, x) => [op.Where(op.Greater(x, 0), d, op.Mul(d, floatOf(node, 'alpha')))])(node, dy, context);

/** Below 0, y + alpha = alpha e^x is the slope. */
export const Elu: Rule = (node, dy, context) =>
  rule((d, y, x) => [op.Where(op.Greater(x, 0), d, op.Mul(d, op.Add(y, floatOf(node, 'alpha'))))])(node, dy, context);

/** (x Phi(x))' = Phi(x) + x phi(x); the approximation's is that of its formula. */
export const Gelu: Rule = (node, dy, context) =>
  rule((d, _, x) => {
    if (textOf(node, 'approximate') === 'tanh') {
      // y = x (1 + tanh(u)) / 2 with u = c (x + 0.044715 x^3)
      const c = Math.sqrt(2 / Math.PI);
      const square = op.Mul(x, x);
      const t = op.Tanh(op.Mul(op.Mul(x, op.Add(op.Mul(square, 0.044715), 1)), c));
      const du = op.Mul(op.Add(op.Mul(square, 3 * 0.044715), 1), c);
      const curve = op.Mul(op.Mul(x, op.Sub(1, op.Mul(t, t))), du);
      return [op.Mul(d, op.Mul(op.Add(op.Add(t, 1), curve), 0.5))];
    }
    const Phi = op.Mul(op.Add(op.Erf(op.Mul(x, Math.SQRT1_2)), 1), 0.5);
    const phi = op.Mul(op.Exp(op.Mul(op.Mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return [op.Mul(d, op.Add(Phi, op.Mul(x, phi)))];
  })(node, dy, context);

/** (x s(ax))' = s + a y (1 - s) */
export const Swish: Rule = (node, dy, context) =>
  rule((d, y, x) => {
    const alpha = floatOf(node, 'alpha');
    const s = op.Sigmoid(op.Mul(x, alpha));
    return [op.Mul(d, op.Add(s, op.Mul(op.Mul(y, alpha), op.Sub(1, s))))];
  })(node, dy, context);

/** x/3 + 1/2 within (-3, 3), 0 below, 1 above. */
export const HardSwish = rule((d, _, x) => {
  const inner = op.Mul(d, op.Add(op.Mul(x, 1 / 3), 0.5));
  return [op.Where(op.Less(x, -3), 0, op.Where(op.Greater(x, 3), d, inner))];
});

/** alpha where neither bound holds. */
export const HardSigmoid: Rule = (node, dy, context) =>
  rule((d, y) => {
    const inside = op.And(op.Greater(y, 0), op.Less(y, 1));
    return [op.Where(inside, op.Mul(d, floatOf(node, 'alpha')), 0)];
  })(node, dy, context);
