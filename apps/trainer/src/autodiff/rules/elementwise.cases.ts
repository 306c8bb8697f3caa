/** Points at which the gradients of operations on corresponding elements are checked. */
import * as op from '../../ir/ops.ts';
import { type Cases, fill, positive } from '../testing.ts';
import type * as rules from './elementwise.ts';

/** One list per rule. */
export const CASES: Cases<keyof typeof rules> = {
  Add: [
    { inputs: [fill([2, 3]), fill([2, 3])], build: op.Add },
    { inputs: [fill([2, 3]), fill([3])], build: op.Add },
    { inputs: [fill([2, 1]), fill([4, 1, 3])], build: op.Add },
    { inputs: [fill([3])], build: (x) => op.Add(op.Mul(x, 2), x) },
  ],
  Sub: [
    { inputs: [fill([2, 3]), fill([3])], build: op.Sub },
    { inputs: [fill([]), fill([2, 1])], build: op.Sub },
  ],
  Mul: [
    { inputs: [fill([2, 3]), fill([1, 3])], build: op.Mul },
    { inputs: [fill([3])], build: (x) => op.Mul(x, x) },
  ],
  Div: [{ inputs: [fill([2, 3]), fill([3], positive)], build: op.Div }],
  Pow: [
    { inputs: [fill([4], positive)], build: (x) => op.Pow(x, 2.5) },
    { inputs: [fill([4])], build: (x) => op.Pow(x, 3) },
    { inputs: [fill([2, 3], positive), fill([3])], build: op.Pow },
  ],
  Neg: [{ inputs: [fill([3])], build: op.Neg }],
  Abs: [{ inputs: [fill([5])], build: op.Abs }],
  Exp: [{ inputs: [fill([3])], build: op.Exp }],
  Log: [{ inputs: [fill([3], positive)], build: op.Log }],
  Sqrt: [{ inputs: [fill([3], positive)], build: op.Sqrt }],
  Erf: [{ inputs: [fill([3])], build: op.Erf, type: 'FLOAT' }],
  Relu: [{ inputs: [fill([2, 4])], build: op.Relu }],
  Sigmoid: [{ inputs: [fill([4])], build: op.Sigmoid }],
  Tanh: [{ inputs: [fill([4])], build: op.Tanh }],
  Softplus: [{ inputs: [fill([4])], build: op.Softplus, type: 'FLOAT' }],
  Clip: [
    { inputs: [fill([8])], build: (x) => op.Clip(x, -0.6, 0.7) },
    { inputs: [fill([8])], build: (x) => op.Clip(x, null, 0.5) },
    { inputs: [fill([8])], build: (x) => op.Clip(x, null, null) },
  ],
  Where: [
    { inputs: [fill([2, 3]), fill([3])], build: (a, b) => op.Where(op.Greater(a, 0), a, b) },
    { inputs: [fill([2, 3]), fill([])], build: (a, b) => op.Where(op.Greater(a, 0), b, op.Mul(a, 2)) },
  ],
  Identity: [{ inputs: [fill([3])], build: op.Identity }],
  Cast: [{ inputs: [fill([3])], build: (x) => op.Cast(op.Mul(op.Cast(x, 'FLOAT'), 3), 'DOUBLE'), type: 'DOUBLE' }],
  Min: [
    { inputs: [fill([2, 3]), fill([3])], build: op.Min },
    { inputs: [fill([2, 3])], build: (x) => op.Min(x, 0.2) },
  ],
  Max: [
    { inputs: [fill([2, 3]), fill([2, 1])], build: op.Max },
    { inputs: [fill([2, 3])], build: (x) => op.Max(0.2, x) },
  ],
  Sin: [{ inputs: [fill([4])], build: op.Sin }],
  Cos: [{ inputs: [fill([4])], build: op.Cos, type: 'FLOAT' }],
  Reciprocal: [{ inputs: [fill([4], positive)], build: op.Reciprocal }],
};
