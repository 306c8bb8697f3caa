/** Attention as one operation, and the rotation of its queries and keys. */
import type { Value } from '../builder.ts';
import { broadcast, sameShape } from '../shapes.ts';
import type { Attribute } from '../types.ts';
import { expectPair, expectType, int, only, REAL, refuse, refuseArgument } from './check.ts';

/** How to attend; scale is 1/sqrt(d) if left out, mask is added to the scores, causal hides what comes later. */
export interface AttentionOptions {
  readonly mask?: Value | undefined;
  readonly scale?: number | undefined;
  readonly causal?: boolean | undefined;
}

/** softmax(scale Q Kt + mask) V for Q [N,h,T,d], K [N,h,S,d], V [N,h,S,e] -> [N,h,T,e] */
export function Attention(q: Value, k: Value, v: Value, options: AttentionOptions = {}): Value {
  const { mask, scale, causal = false } = options;
  expectType('Attention', 0, q, REAL);
  [q, k, v].forEach((value, index) => {
    expectPair('Attention', q, value);
    if (value.shape.length !== 4) refuse('Attention', index, value, '[N,h,T,d]');
  });
  const [rows = 1, heads = 1, length = 1, width = 1] = q.shape;
  if (!sameShape([rows, heads, width], [k.shape[0] ?? 0, k.shape[1] ?? 0, k.shape[3] ?? 0]))
    refuse('Attention', 1, k, `[${rows},${heads},S,${width}]`);
  if (!sameShape(k.shape.slice(0, 3), v.shape.slice(0, 3))) refuse('Attention', 2, v, `[${k.shape.slice(0, 3)},e]`);
  const scores = [rows, heads, length, k.shape[2] ?? 1];
  if (mask && !sameShape(broadcast(mask.shape, scores) ?? [], scores)) refuse('Attention', 3, mask, `like [${scores}]`);
  const attributes: Record<string, Attribute> = { is_causal: int(causal ? 1 : 0) };
  if (scale !== undefined) attributes.scale = { type: 'FLOAT', value: scale };
  const inputs = mask ? [q, k, v, mask] : [q, k, v];
  const shape = [rows, heads, length, v.shape[3] ?? 1];
  return only(q.graph.emit({ type: 'Attention', inputs, outputs: [{ type: q.type, shape }], attributes }));
}

/** The pairs (x_i, x_{i+d/2}) of x [N,h,T,d] turned by the angles of their positions: cos, sin [P,d/2], ids [N,T]. */
export function RotaryEmbedding(x: Value, cos: Value, sin: Value, ids: Value): Value {
  expectType('RotaryEmbedding', 0, x, REAL);
  expectType('RotaryEmbedding', 3, ids, ['INT64']);
  const [rows = 1, , length = 1, width] = x.shape;
  if (x.shape.length !== 4 || typeof width !== 'number' || width % 2 !== 0)
    return refuseArgument('RotaryEmbedding', x, 'expected [N,h,T,d] with an even d');
  [cos, sin].forEach((cache, index) => {
    expectPair('RotaryEmbedding', x, cache);
    if (cache.shape.length !== 2 || cache.shape[1] !== width / 2)
      refuse('RotaryEmbedding', index + 1, cache, `[P,${width / 2}]`);
  });
  if (!sameShape(ids.shape, [rows, length])) refuse('RotaryEmbedding', 3, ids, `[${rows},${length}]`);
  const inputs = [x, cos, sin, ids];
  return only(x.graph.emit({ type: 'RotaryEmbedding', inputs, outputs: [{ type: x.type, shape: x.shape }] }));
}
