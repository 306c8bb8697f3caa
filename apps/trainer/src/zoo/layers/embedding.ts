/** Tokens as vectors. */
import type { Value } from '../../ir/builder.ts';
import * as op from '../../ir/ops.ts';
import { normal } from '../initialisers.ts';
import type { Module } from '../module.ts';

/** The row of a table for each id: INT32 [N,T] -> [N,T,width] */
export function embedding(m: Module, name: string, ids: Value, o: { entries: number; width: number }): Value {
  return m.scope(name, () => op.Gather(m.parameter('weight', [o.entries, o.width], normal(0.02)), ids, 0));
}

/** 1 for tokens, 0 for padding: INT32 [N,T] -> FLOAT [N,T] */
export function tokenMask(ids: Value): Value {
  const padding = op.Equal(ids, ids.graph.constant('INT32', [], [0]));
  return op.Cast(op.Not(padding), 'FLOAT');
}

/** The mean of each row's real tokens: [N,T,D] and mask [N,T] -> [N,D] */
export function meanOfTokens(x: Value, mask: Value): Value {
  const sum = op.ReduceSum(op.Mul(x, op.Unsqueeze(mask, [2])), { axes: [1] });
  const count = op.Clip(op.ReduceSum(mask, { axes: [1], keep: true }), 1, null); // a row of padding alone has mean 0
  return op.Div(sum, count);
}
