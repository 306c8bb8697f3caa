/** Points at which the gradient of Einsum is checked. */
import * as op from '../../ir/ops.ts';
import { type Case, type Cases, fill } from '../testing.ts';
import type * as rules from './einsum.ts';

const einsum = (equation: string, ...shapes: number[][]): Case => ({
  inputs: shapes.map((dims) => fill(dims)),
  build: (...values) => op.Einsum(equation, values),
});

/** One list per rule. */
export const CASES: Cases<keyof typeof rules> = {
  Einsum: [
    einsum('ij,jk->ik', [2, 3], [3, 4]),
    einsum('bhid,bhjd->bhij', [2, 2, 3, 2], [2, 2, 4, 2]),
    einsum('i,j->ij', [3], [2]),
    einsum('ij->ji', [2, 3]),
    einsum('ij->i', [2, 3]),
    einsum('ij,ij->', [2, 3], [2, 3]),
    { inputs: [fill([2, 3])], build: (x) => op.Einsum('ij,ik->jk', [x, x]) },
  ],
};
