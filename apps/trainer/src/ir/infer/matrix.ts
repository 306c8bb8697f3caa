/** Rules of products: matrices, sums of products, attention. */
import type { DataType, Dim } from '../types.ts';
import type { Call, Rules } from './call.ts';
import { broadcastShapes, type Dims, type Fact, tensor } from './fact.ts';
import { compatible, times } from './layout.ts';

/** NumPy's matmul: a vector is a row on the left and a column on the right, and the axis it lent goes again. */
function product(c: Call, left: number, right: number): Dims | null {
  const [a, b] = [c.shape(left), c.shape(right)];
  if (!a || !b) return null;
  if (a.length === 0) c.refuse(left, 'at least a vector');
  if (b.length === 0) c.refuse(right, 'at least a vector');
  const inner = b.length === 1 ? b[0] : b.at(-2);
  if (!compatible(a.at(-1) ?? null, inner ?? null))
    c.refuse(
      right,
      `of length ${a.at(-1)} along the axis that input ${left} [${a.map((d) => d ?? '?')}] is multiplied over`,
    );
  const batch = broadcastShapes([a.slice(0, -2), b.slice(0, -2)]);
  if (batch === undefined) return c.refuse(right, `of leading axes that broadcast with [${a.map((d) => d ?? '?')}]`);
  const rows: Dims = a.length === 1 ? [] : [a.at(-2) ?? null];
  const columns: Dims = b.length === 1 ? [] : [b.at(-1) ?? null];
  return [...(batch ?? []), ...rows, ...columns];
}

function gemm(c: Call): Fact {
  const flip = (shape: Dims | null, turned: boolean) => (shape && turned ? shape.toReversed() : shape);
  const a = flip(c.ranked(0, 2), c.flag('transA'));
  const b = flip(c.ranked(1, 2), c.flag('transB'));
  if (a && b && !compatible(a[1] ?? null, b[0] ?? null))
    c.refuse(1, `of length ${a[1]} along the axis that it shares with input 0`);
  return tensor(c.sameType([0, 1, 2]), [a?.[0] ?? null, b?.[1] ?? null]);
}

/** Letters to lengths; an ellipsis stands for the axes before and after which letters are given. */
function einsum(c: Call): Fact {
  const equation = c.text('equation').replaceAll(' ', '');
  const [terms = '', result] = equation.split('->');
  const letters = new Map<string, Dim>();
  let ellipsis: Dims | null = [];
  let known = true;
  terms.split(',').forEach((term, index) => {
    const shape = c.shape(index);
    if (!shape) known = false;
    else ellipsis = readTerm(c, index, term, shape, letters, ellipsis);
  });
  const type = c.sameType();
  if (!known) return tensor(type, null);
  const out = result ?? implicit(terms);
  const at = out.indexOf('...');
  const named = (part: string) => [...part].map((letter) => letters.get(letter) ?? null);
  if (at < 0) return tensor(type, named(out));
  if (!ellipsis) return tensor(type, null);
  return tensor(type, [...named(out.slice(0, at)), ...ellipsis, ...named(out.slice(at + 3))]);
}

function readTerm(
  c: Call,
  index: number,
  term: string,
  shape: Dims,
  letters: Map<string, Dim>,
  ellipsis: Dims | null,
): Dims | null {
  const at = term.indexOf('...');
  const [front, back] = at < 0 ? [term, ''] : [term.slice(0, at), term.slice(at + 3)];
  if (at < 0 ? shape.length !== front.length : shape.length < front.length + back.length)
    c.refuse(index, `of the rank that "${term}" has`);
  const bind = (letter: string, dim: Dim) => {
    const before = letters.get(letter);
    if (before !== undefined && before !== 1 && dim !== 1 && !compatible(before, dim))
      c.refuse(index, `of length ${before} along "${letter}" of "${term}"`);
    if (typeof before !== 'number' || before === 1) letters.set(letter, dim);
  };
  [...front].forEach((letter, axis) => {
    bind(letter, shape[axis] ?? null);
  });
  [...back].forEach((letter, axis) => {
    bind(letter, shape[shape.length - back.length + axis] ?? null);
  });
  if (at < 0) return ellipsis;
  return broadcastShapes([ellipsis, shape.slice(front.length, shape.length - back.length)]) ?? null;
}

/** Without "->" the result has the ellipsis and then the letters that occur once, in alphabetical order. */
function implicit(terms: string): string {
  const all = [...terms.replaceAll('...', '').replaceAll(',', '')];
  const once = all.filter((letter) => all.indexOf(letter) === all.lastIndexOf(letter)).sort();
  return (terms.includes('...') ? '...' : '') + once.join('');
}

/** Attention of opset 23: [B,H,T,D], or [B,T,H*D] with the numbers of heads as attributes. */
function attention(c: Call): readonly Fact[] {
  const [q, k, v] = [c.shape(0), c.shape(1), c.shape(2)];
  const type = c.type(0);
  const unknown = [tensor(type, null), tensor(type, null), tensor(type, null), tensor(type, null)];
  if (!q || !k || !v) return unknown;
  const flat = q.length === 3;
  const [heads, keyHeads] = flat ? [c.int('q_num_heads', 0), c.int('kv_num_heads', 0)] : [q[1] ?? null, k[1] ?? null];
  const perHead = (shape: Dims, count: Dim): Dim => {
    const width = shape.at(-1) ?? null;
    if (!flat) return width;
    return typeof width === 'number' && typeof count === 'number' && count > 0 ? width / count : null;
  };
  const past = c.has(4) ? c.dim(4, 2) : 0;
  const add = (a: Dim, b: Dim): Dim => (b === 0 ? a : typeof a === 'number' && typeof b === 'number' ? a + b : null);
  const total = add(k.at(-2) ?? null, past);
  const [batch, queries] = [q[0] ?? null, q.at(-2) ?? null];
  const valueWidth = perHead(v, keyHeads);
  const y: Dims = flat ? [batch, queries, times(heads, valueWidth)] : [batch, heads, queries, valueWidth];
  return [
    tensor(type, y),
    tensor(c.type(4) ?? c.type(1), [batch, keyHeads, total, perHead(k, keyHeads)]),
    tensor(c.type(5) ?? c.type(2), [batch, keyHeads, total, valueWidth]),
    tensor(type, [batch, heads, queries, total]),
  ];
}

const INT32: DataType = 'INT32';

/** The rules of this file. */
export const MATRIX: Rules = {
  MatMul: (c) => tensor(c.sameType([0, 1]), product(c, 0, 1)),
  MatMulInteger: (c) => tensor(INT32, product(c, 0, 1)),
  QLinearMatMul: (c) => tensor(c.type(7), product(c, 0, 3)),
  Gemm: gemm,
  Einsum: einsum,
  Attention: attention,
  RotaryEmbedding: (c) => tensor(c.type(0), c.shape(0)),
  Det: (c) => tensor(c.type(0), c.shape(0)?.slice(0, -2) ?? null),
};
