/** Resizing is linear along each axis: y = R x with a constant matrix R, so that dx = Rt dy. */
import type { Value } from '../../ir/builder.ts';
import * as op from '../../ir/ops.ts';
import { lengthsOf, type Rule, textOf } from '../rule.ts';

/** One product of matrices per axis. */
export const Resize: Rule = (node, [dy]) => {
  const [x] = node.inputs;
  if (!x || !dy) return [];
  const mode = textOf(node, 'mode');
  const lengths = lengthsOf(x);
  const dx = lengths.slice(2).reduce((value, length, index) => {
    const axis = index + 2;
    const from = lengthsOf(dy)[axis] ?? 1;
    return from === length && mode === 'nearest' ? value : along(value, axis, matrix(length, from, mode));
  }, dy);
  return [dx, null, null, null];
};

/** R as rows of [from, to]: how much each of `to` old numbers is in each of `from` new ones. */
interface Matrix {
  readonly from: number;
  readonly to: number;
  readonly values: Float64Array;
}

function matrix(to: number, from: number, mode: string): Matrix {
  const values = new Float64Array(from * to);
  const add = (i: number, at: number, share: number) => {
    const place = i * to + Math.min(to - 1, Math.max(0, at));
    values[place] = (values[place] ?? 0) + share;
  };
  for (let i = 0; i < from; i++) {
    if (mode === 'nearest') {
      add(i, Math.floor((i * to) / from), 1);
      continue;
    }
    const place = Math.min(to - 1, Math.max(0, ((i + 0.5) * to) / from - 0.5));
    const low = Math.floor(place);
    add(i, low, 1 - (place - low));
    add(i, low + 1, place - low);
  }
  return { from, to, values };
}

/** The axis of dy [..., from, ...] becomes [..., to, ...]. */
function along(dy: Value, axis: number, { from, to, values }: Matrix): Value {
  const last = dy.shape.length - 1;
  const R = dy.graph.constant(dy.type, [from, to], values);
  if (axis === last) return op.MatMul(dy, R);
  const perm = [...dy.shape.keys()].map((at) => (at === axis ? last : at === last ? axis : at));
  return op.Transpose(op.MatMul(op.Transpose(dy, perm), R), perm);
}
