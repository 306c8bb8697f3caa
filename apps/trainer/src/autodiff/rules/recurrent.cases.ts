/** Points at which the gradients of recurrent layers are checked: sequences of 3 steps, 2 rows, 2 numbers, 3 units. */
import * as op from '../../ir/ops.ts';
import { type Cases, fill } from '../testing.ts';
import type * as rules from './recurrent.ts';

const layer = (gates: number, ways: number) => [
  fill([3, 2, 2]),
  fill([ways, 3 * gates, 2]),
  fill([ways, 3 * gates, 3]),
  fill([ways, 6 * gates]),
];
const state = (ways: number) => fill([ways, 2, 3]);

/** One list per rule. */
export const CASES: Cases<keyof typeof rules> = {
  LSTM: [
    {
      inputs: layer(4, 1),
      build: (x, weight, recurrence, bias) => Object.values(op.LSTM(x, { weight, recurrence, bias })),
      type: 'FLOAT',
    },
    {
      inputs: [...layer(4, 2), state(2), state(2)],
      build: (x, weight, recurrence, bias, initial, initialCell) =>
        op.LSTM(x, { weight, recurrence, bias, initial, initialCell, direction: 'bidirectional' }).y,
      type: 'FLOAT',
    },
    {
      inputs: layer(4, 1).slice(0, 3),
      build: (x, weight, recurrence) => op.LSTM(x, { weight, recurrence, direction: 'reverse' }).last,
      type: 'FLOAT',
    },
  ],
  GRU: [
    {
      inputs: [...layer(3, 1), state(1)],
      build: (x, weight, recurrence, bias, initial) => op.GRU(x, { weight, recurrence, bias, initial }).y,
      type: 'FLOAT',
    },
    {
      inputs: layer(3, 2),
      build: (x, weight, recurrence, bias) =>
        Object.values(op.GRU(x, { weight, recurrence, bias, resetAfter: true, direction: 'bidirectional' })),
      type: 'FLOAT',
    },
  ],
};
