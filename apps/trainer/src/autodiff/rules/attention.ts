/** Gradients of attention and rotation, by what they are composed of. */
import * as op from '../../ir/ops.ts';
import { composed, floatOf, intOf, lengthsOf } from '../rule.ts';

/** softmax(scale Q Kt + mask) V */
export const Attention = composed((node, q, k, v, mask) => {
  if (!q || !k || !v) return [];
  const [, , length = 1, width = 1] = lengthsOf(q);
  const [, , seen = 1] = lengthsOf(k);
  const scale = node.attributes.has('scale') ? floatOf(node, 'scale') : 1 / Math.sqrt(width);
  const plain = op.MatMul(op.Mul(q, scale), op.Transpose(k, [0, 1, 3, 2]));
  const masked = mask ? op.Add(plain, mask) : plain;
  if (intOf(node, 'is_causal') === 0) return op.MatMul(op.Softmax(masked), v);
  const later = Float32Array.from({ length: length * seen }, (_, at) =>
    at % seen > Math.floor(at / seen) ? -1e30 : 0,
  );
  return op.MatMul(op.Softmax(op.Add(masked, q.graph.constant(q.type, [length, seen], later))), v);
});

/** (a, b) -> (a cos - b sin, a sin + b cos) */
export const RotaryEmbedding = composed((_, x, cosines, sines, ids) => {
  if (!x || !cosines || !sines || !ids) return [];
  const [, , , width = 2] = lengthsOf(x);
  const [cos, sin] = [cosines, sines].map((cache) => op.Unsqueeze(op.Gather(cache, ids), [1])); // [N,1,T,d/2]
  const [a, b] = op.Split(x, [width / 2, width / 2], 3);
  if (!a || !b || !cos || !sin) return [];
  return op.Concat([op.Sub(op.Mul(a, cos), op.Mul(b, sin)), op.Add(op.Mul(a, sin), op.Mul(b, cos))], 3);
});
