/** Points at which the gradients of activation functions are checked. */
import * as op from '../../ir/ops.ts';
import { type Cases, fill } from '../testing.ts';
import type * as rules from './activation.ts';

const wide = () => ({ dims: [7], values: [-4.1, -2.2, -0.7, -0.2, 0.3, 1.6, 3.9] });

/** One list per rule. */
export const CASES: Cases<keyof typeof rules> = {
  LeakyRelu: [{ inputs: [fill([6])], build: (x) => op.LeakyRelu(x, 0.2), type: 'FLOAT' }],
  Elu: [{ inputs: [wide()], build: (x) => op.Elu(x, 0.7), type: 'FLOAT' }],
  Gelu: [
    { inputs: [wide()], build: (x) => op.Gelu(x), type: 'FLOAT' },
    { inputs: [wide()], build: (x) => op.Gelu(x, 'tanh'), type: 'FLOAT' },
  ],
  Swish: [
    { inputs: [wide()], build: (x) => op.Swish(x), type: 'FLOAT' },
    { inputs: [wide()], build: (x) => op.Swish(x, 1.7), type: 'FLOAT' },
  ],
  HardSwish: [{ inputs: [wide()], build: op.HardSwish, type: 'FLOAT' }],
  HardSigmoid: [{ inputs: [wide()], build: (x) => op.HardSigmoid(x), type: 'FLOAT' }],
};
