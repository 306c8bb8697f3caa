/** Multi-head self-attention (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.2). */
import type { Value } from '../../ir/builder.ts';
import { GraphError } from '../../ir/errors.ts';
import * as op from '../../ir/ops.ts';
import { lastAxis } from '../axes.ts';
import type { Module } from '../module.ts';
import { type LinearStart, linear } from './linear.ts';

/** How tokens look at each other. */
export interface AttentionOptions {
  readonly heads: number;
  /** Added to the scores of each token that is looked at, [N,1,1,T]: 0 for real ones, very negative for padding. */
  readonly bias: Value;
  /** Turns queries and keys [N,h,T,d] by their positions. */
  readonly rotate: ((x: Value) => Value) | null;
  readonly start: LinearStart;
}

/** Concat(head_1, ..., head_h) W with head = softmax(Q K' / sqrt(d)) V: [N,T,D] -> [N,T,D] */
export function attention(m: Module, name: string, x: Value, o: AttentionOptions): Value {
  return m.scope(name, () => {
    const width = lastAxis(x);
    const { heads, start } = o;
    const rotate = o.rotate ?? ((part: Value) => part);
    const [batch = 1, length = 1] = x.shape;
    const d = width / heads;
    // One product for all three: the same numbers as three layers of their own, in fewer and larger kernels.
    const parts = op.Split(linear(m, 'qkv', x, { outputs: 3 * width, start }), [width, width, width], 2);
    const [q, k, v] = parts.map((part) => op.Reshape(part, [batch, length, heads, d])); // [N,T,h,d]
    if (!q || !k || !v) throw new GraphError('attention: Split gave fewer than three parts');
    const Q = rotate(op.Transpose(q, [0, 2, 1, 3])); // [N,h,T,d]
    const K = rotate(op.Transpose(k, [0, 2, 1, 3]));
    const V = op.Transpose(v, [0, 2, 1, 3]);
    const scores = op.MatMul(op.Mul(Q, 1 / Math.sqrt(d)), op.Transpose(K, [0, 1, 3, 2])); // [N,h,T,T]
    const seen = op.MatMul(op.Softmax(op.Add(scores, o.bias)), V); // [N,h,T,d]
    const joined = op.Reshape(op.Transpose(seen, [0, 2, 1, 3]), [batch, length, width]);
    return linear(m, 'out', joined, { outputs: width, start });
  });
}

/** [N,T] of 1 and 0 as what `attention` adds to scores: e^-10000 is 0 in float32, and no infinity enters a gradient. */
export function maskBias(mask: Value): Value {
  return op.Mul(op.Sub(op.Unsqueeze(mask, [1, 2]), 1), 1e4);
}
