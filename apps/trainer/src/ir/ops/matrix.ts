/** Matrix products. */
import type { Value } from '../builder.ts';
import { broadcast } from '../shapes.ts';
import { expectPair, expectType, int, only, REAL, refuse } from './check.ts';

/** Product of the last two axes, the others broadcast: [...,m,k] x [...,k,n] -> [...,m,n]. */
export function MatMul(a: Value, b: Value): Value {
  expectPair('MatMul', a, b);
  expectType('MatMul', 0, a, REAL);
  const m = a.shape.at(-2);
  const n = b.shape.at(-1);
  if (m === undefined) return refuse('MatMul', 0, a, 'at least a matrix');
  if (n === undefined || b.shape.length < 2) return refuse('MatMul', 1, b, 'at least a matrix');
  if (a.shape.at(-1) !== b.shape.at(-2)) refuse('MatMul', 1, b, `[...,${a.shape.at(-1)},n] for [${a.shape}]`);
  const batch = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
  if (!batch) return refuse('MatMul', 1, b, `of leading axes that broadcast with [${a.shape}]`);
  return only(a.graph.emit({ type: 'MatMul', inputs: [a, b], outputs: [{ type: a.type, shape: [...batch, m, n] }] }));
}

/** op(a) x op(b) + c for matrices, where op transposes if asked; c broadcasts. */
export function Gemm(a: Value, b: Value, options: { c?: Value; transA?: boolean; transB?: boolean } = {}): Value {
  const { c, transA = false, transB = false } = options;
  expectPair('Gemm', a, b);
  expectType('Gemm', 0, a, REAL);
  const [m, k] = transA ? a.shape.toReversed() : a.shape;
  const [inner, n] = transB ? b.shape.toReversed() : b.shape;
  if (m === undefined || k === undefined || a.shape.length !== 2) return refuse('Gemm', 0, a, 'a matrix');
  if (n === undefined || b.shape.length !== 2) return refuse('Gemm', 1, b, 'a matrix');
  if (inner !== k) refuse('Gemm', 1, b, transB ? `[n,${k}]` : `[${k},n]`);
  if (c) expectPair('Gemm', a, c);
  const sum = c ? broadcast(c.shape, [m, n]) : [m, n];
  if (c && (sum?.[0] !== m || sum[1] !== n || sum.length !== 2)) refuse('Gemm', 2, c, `broadcastable to [${m},${n}]`);
  const attributes = { transA: int(transA ? 1 : 0), transB: int(transB ? 1 : 0) };
  const inputs = c ? [a, b, c] : [a, b];
  return only(a.graph.emit({ type: 'Gemm', inputs, outputs: [{ type: a.type, shape: [m, n] }], attributes }));
}
