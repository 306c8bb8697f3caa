/** Gradients of normalisations. */

import type { Value } from '../../ir/builder.ts';
import * as op from '../../ir/ops.ts';
import { composed, floatOf, intOf, lengthsOf, type Rule, sumTo } from '../rule.ts';

/**
 * With x^ = (x - mean) / sd and g = scale dy: dx = (g - mean(g) - x^ mean(g x^)) / sd. Mean and 1/sd are the node's
 * own further outputs.
 */
export const LayerNormalization: Rule = (node, [dy]) => {
  const [x, scale, bias] = node.inputs;
  const [, mean, inverse] = node.outputs;
  if (!x || !scale || !mean || !inverse || !dy) return [];
  const axes = [...x.shape.keys()].slice(intOf(node, 'axis'));
  const over = (value: Value) => op.ReduceMean(value, { axes, keep: true });
  const [center, factor] = x.type === 'FLOAT' ? [mean, inverse] : [op.Cast(mean, x.type), op.Cast(inverse, x.type)];
  const normal = op.Mul(op.Sub(x, center), factor);
  const slope = op.Mul(dy, normal);
  const g = op.Mul(dy, scale);
  const [width = 1] = lengthsOf(scale);
  // A mean of products with the scale is a product with a column, which needs no pass of its own.
  const column = axes.length === 1 ? op.Reshape(op.Mul(scale, 1 / width), [width, 1]) : null;
  const meanG = column ? op.MatMul(dy, column) : over(g);
  const meanNormal = column ? op.MatMul(slope, column) : over(op.Mul(g, normal));
  const drift = op.Add(op.Mul(normal, meanNormal), meanG);
  const dx = op.Mul(op.Sub(g, drift), factor);
  return [dx, sumTo(slope, scale.shape), bias ? sumTo(dy, bias.shape) : null];
};

/** scale x / root mean square */
export const RMSNormalization = composed((node, x, scale) => {
  const axes = [...(x?.shape.keys() ?? [])].slice(intOf(node, 'axis'));
  if (!x || !scale) return [];
  const square = op.ReduceMean(op.Mul(x, x), { axes, keep: true });
  return op.Mul(op.Div(x, op.Sqrt(op.Add(square, floatOf(node, 'epsilon')))), scale);
});

/** A constant map per channel, were it not that all four of its vectors may be trained. */
export const BatchNormalization = composed((node, x, scale, bias, mean, variance) => {
  if (!x || !scale || !bias || !mean || !variance) return [];
  const wide = (vector: Value) => perChannel(vector, x);
  const deviation = op.Sqrt(op.Add(variance, floatOf(node, 'epsilon')));
  return op.Add(op.Mul(op.Sub(x, wide(mean)), wide(op.Div(scale, deviation))), wide(bias));
});

/** Each group as one row that is normalised. */
export const GroupNormalization = composed((node, x, scale, bias) =>
  x && scale && bias ? groups(x, scale, bias, intOf(node, 'num_groups'), floatOf(node, 'epsilon')) : [],
);

/** As many groups as channels. */
export const InstanceNormalization = composed((node, x, scale, bias) =>
  x && scale && bias ? groups(x, scale, bias, lengthsOf(x)[1] ?? 1, floatOf(node, 'epsilon')) : [],
);

function groups(x: Value, scale: Value, bias: Value, count: number, epsilon: number): Value {
  const shape = lengthsOf(x);
  const [rows = 1] = shape;
  const parts = op.Reshape(x, [rows, count, shape.reduce((a, b) => a * b, 1) / (rows * count)]);
  const centred = op.Sub(parts, op.ReduceMean(parts, { axes: [2], keep: true }));
  const variance = op.ReduceMean(op.Mul(centred, centred), { axes: [2], keep: true });
  const normal = op.Reshape(op.Div(centred, op.Sqrt(op.Add(variance, epsilon))), shape);
  return op.Add(op.Mul(normal, perChannel(scale, x)), perChannel(bias, x));
}

/** [C] -> [C,1...], broadcast over x [N,C,...] */
function perChannel(vector: Value, x: Value): Value {
  return op.Reshape(vector, [lengthsOf(vector)[0] ?? 1, ...x.shape.slice(2).map(() => 1)]);
}
