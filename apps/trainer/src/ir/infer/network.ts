/** Rules of normalisation, recurrent layers and quantisation. */
import type { DataType } from '../types.ts';
import type { Call, Rules } from './call.ts';
import { typeAttribute } from './elementwise.ts';
import { type Fact, tensor } from './fact.ts';
import { compatible } from './layout.ts';

/** Scale, bias, mean and variance have one number per channel, which is axis 1 (or axis 0 of a vector). */
function batchNormalization(c: Call): readonly Fact[] {
  const x = c.shape(0);
  const channels = x ? (x.length > 1 ? (x[1] ?? null) : 1) : null;
  for (const index of [1, 2, 3, 4]) {
    const [length] = c.ranked(index, 1) ?? [];
    if (length !== undefined && !compatible(length, channels)) c.refuse(index, `of ${channels} channels like input 0`);
  }
  const statistic = tensor(c.type(3), [channels]);
  return [tensor(c.type(0), x), statistic, statistic, statistic, statistic];
}

/** Mean and inverse deviation keep the axes before the normalised ones; those have length 1. */
function layerNormalization(c: Call): readonly Fact[] {
  const x = c.shape(0);
  const axis = x ? c.axis(c.int('axis', -1), x.length) : 0;
  const statistic = tensor('FLOAT', x ? x.map((dim, index) => (index < axis ? dim : 1)) : null);
  return [tensor(c.type(0), x), statistic, statistic];
}

const first = (c: Call): Fact => tensor(c.type(0), c.shape(0));

/** Y [T,D,N,H], then the last states [D,N,H]; with layout 1 the batch N comes first. */
function recurrent(c: Call): readonly Fact[] {
  const directions = c.text('direction', 'forward') === 'bidirectional' ? 2 : 1;
  const [a = null, b = null] = c.ranked(0, 3) ?? [];
  const recurrence = c.dim(2, 2); // R is [D, gates*H, H]
  const hidden = c.node.attributes.has('hidden_size') ? c.int('hidden_size', 0) : recurrence;
  const batchFirst = c.flag('layout');
  const y = batchFirst ? [a, b, directions, hidden] : [a, directions, b, hidden];
  const state = tensor(c.type(0), batchFirst ? [a, directions, hidden] : [directions, b, hidden]);
  return [tensor(c.type(0), y), state, state];
}

function quantize(c: Call): Fact {
  const type: DataType = c.type(2) ?? typeAttribute(c, 'output_dtype') ?? 'UINT8';
  return tensor(c.has(2) && !c.type(2) ? null : type, c.shape(0));
}

/** The rules of this file. */
export const NETWORK: Rules = {
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  RMSNormalization: first,
  GroupNormalization: first,
  InstanceNormalization: first,
  RNN: recurrent,
  GRU: recurrent,
  LSTM: recurrent,
  QuantizeLinear: quantize,
  DequantizeLinear: (c) => tensor(typeAttribute(c, 'output_dtype') ?? c.type(1), c.shape(0)),
  DynamicQuantizeLinear: (c) => [tensor('UINT8', c.shape(0)), tensor('FLOAT', []), tensor('UINT8', [])],
};
