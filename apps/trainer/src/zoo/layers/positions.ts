/** Where in its sequence a token stands: learned vectors, or a rotation of queries and keys. */
import type { Value } from '../../ir/builder.ts';
import * as op from '../../ir/ops.ts';
import { lastAxis } from '../axes.ts';
import { normal } from '../initialisers.ts';
import type { Module } from '../module.ts';

/**
 * Rows 0 .. T-1 of a table [maxLength,D], broadcastable to [N,T,D]. T is the length of the second axis of `ids`; where
 * it has only a name, positions are counted in the graph.
 */
function rowsFor(ids: Value, table: Value): Value {
  const [, length] = ids.shape;
  if (typeof length === 'number') return op.Unsqueeze(op.Slice(table, [{ axis: 0, start: 0, end: length }]), [0]);
  const ones = op.Cast(op.Equal(ids, ids), 'INT32');
  return op.Gather(table, op.Sub(op.CumSum(ones, 1), 1), 0);
}

/** A learned vector per position, as in BERT: broadcastable to [N,T,width]. */
export function learnedPositions(m: Module, name: string, ids: Value, o: { maxLength: number; width: number }): Value {
  return m.scope(name, () => rowsFor(ids, m.parameter('weight', [o.maxLength, o.width], normal(0.02))));
}

/**
 * Rotary positions (Su et al. 2021, https://arxiv.org/abs/2104.09864, equation 34): the pair (x_i, x_{i+d/2}) of each
 * query and key is turned by the angle t 10000^(-2i/d), so that their product depends on the distance alone.
 */
export function rotary(ids: Value, { maxLength, width }: { maxLength: number; width: number }) {
  const half = width / 2;
  const angles = Array.from({ length: maxLength * half }, (_, at) => {
    const [t, i] = [Math.floor(at / half), at % half];
    return t * 10_000 ** ((-2 * i) / width);
  });
  const table = (of: (angle: number) => number) => {
    const values = ids.graph.constant('FLOAT', [maxLength, half], Float32Array.from(angles, of));
    return op.Unsqueeze(rowsFor(ids, values), [1]); // [.,1,T,d/2]
  };
  const [cos, sin] = [table(Math.cos), table(Math.sin)];
  return (x: Value): Value => {
    const d = lastAxis(x);
    const a = op.Slice(x, [{ axis: 3, start: 0, end: half }]);
    const b = op.Slice(x, [{ axis: 3, start: half, end: d }]);
    return op.Concat([op.Sub(op.Mul(a, cos), op.Mul(b, sin)), op.Add(op.Mul(a, sin), op.Mul(b, cos))], 3);
  };
}
