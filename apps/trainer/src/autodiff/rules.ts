/**
 * The table of gradients, total over the operations: one that is added to ir/ops.ts without a row here does not
 * compile.
 */
import type { OpName } from '../ir/ops.ts';
import type { Rule } from './rule.ts';
import * as activation from './rules/activation.ts';
import * as attention from './rules/attention.ts';
import * as conv from './rules/conv.ts';
import * as einsum from './rules/einsum.ts';
import * as elementwise from './rules/elementwise.ts';
import * as layout from './rules/layout.ts';
import * as matrix from './rules/matrix.ts';
import * as normalise from './rules/normalise.ts';
import * as pool from './rules/pool.ts';
import * as recurrent from './rules/recurrent.ts';
import * as reduce from './rules/reduce.ts';
import * as resize from './rules/resize.ts';
import * as select from './rules/select.ts';

/** No gradient, and none is missing: the output is not a real number, or does not move with the input. */
const NONE = 'NONE';
/** It has a gradient that nobody has needed yet: asking for it is an error, not a zero. */
const MISSING = 'MISSING';

/** Operation -> rule. */
export const RULES = {
  ...activation,
  ...attention,
  ...conv,
  ...einsum,
  ...elementwise,
  ...layout,
  ...matrix,
  ...normalise,
  ...pool,
  ...recurrent,
  ...reduce,
  ...resize,
  ...select,
  Scan: MISSING,
  Sign: NONE,
  Equal: NONE,
  Greater: NONE,
  Less: NONE,
  And: NONE,
  Or: NONE,
  Not: NONE,
  IsNaN: NONE,
  OneHot: NONE,
  LabelEncoder: NONE,
  StringConcat: NONE,
} satisfies Record<OpName, Rule | typeof NONE | typeof MISSING>;

/** Operations that have a gradient rule; the finite-difference check is total over them. */
export type DifferentiableOp = {
  [name in OpName]: (typeof RULES)[name] extends Rule ? name : never;
}[OpName];
