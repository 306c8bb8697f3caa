/**
 * The table of gradients, total over the operations: one that is added to ir/ops.ts without a row here does not
 * compile.
 */
import type { OpName } from '../ir/ops.ts';
import type { Rule } from './rule.ts';
import * as elementwise from './rules/elementwise.ts';
import * as layout from './rules/layout.ts';
import * as matrix from './rules/matrix.ts';
import * as reduce from './rules/reduce.ts';

/** No gradient, and none is missing: the output is not a real number, or does not move with the input. */
const NONE = 'NONE';
/** It has a gradient that nobody has needed yet: asking for it is an error, not a zero. */
const MISSING = 'MISSING';

/** Operation -> rule. */
export const RULES = {
  ...elementwise,
  ...layout,
  ...matrix,
  ...reduce,
  ScatterND: MISSING,
  Scan: MISSING,
  Equal: NONE,
  Greater: NONE,
  Less: NONE,
  And: NONE,
  Or: NONE,
  Not: NONE,
  IsNaN: NONE,
  OneHot: NONE,
  LabelEncoder: NONE,
} satisfies Record<OpName, Rule | typeof NONE | typeof MISSING>;

/** Operations that have a gradient rule; the finite-difference check is total over them. */
export type DifferentiableOp = {
  [name in OpName]: (typeof RULES)[name] extends Rule ? name : never;
}[OpName];
