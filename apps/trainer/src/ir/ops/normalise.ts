/** Normalisations with their gains and offsets. */
import type { Value } from '../builder.ts';
import type { OpName } from '../ops.ts';
import { broadcast, sameShape } from '../shapes.ts';
import type { Attribute } from '../types.ts';
import { expectAxis, expectLength, expectPair, expectType, int, only, REAL, refuse, refuseArgument } from './check.ts';

/** What is added to a variance before its root is taken. */
export interface Epsilon {
  readonly epsilon?: number | undefined;
}

const EPSILON = 1e-5;

/** A number attribute. */
const float = (value: number): Attribute => ({ type: 'FLOAT', value });

/** scale (x - mean) / sqrt(variance + epsilon) + bias per channel of [N,C,...], all four vectors given: inference. */
export function BatchNormalization(
  x: Value,
  scale: Value,
  bias: Value,
  mean: Value,
  variance: Value,
  { epsilon = EPSILON }: Epsilon = {},
): Value {
  expectType('BatchNormalization', 0, x, REAL);
  const channels = expectLength('BatchNormalization', 0, x, 1);
  [scale, bias, mean, variance].forEach((vector, index) => {
    if (!sameShape(vector.shape, [channels])) refuse('BatchNormalization', index + 1, vector, `[${channels}]`);
  });
  const inputs = [x, scale, bias, mean, variance];
  const attributes = { epsilon: float(epsilon) };
  return only(x.graph.emit({ type: 'BatchNormalization', inputs, outputs: [describeOf(x)], attributes }));
}

/** Which axes a normalisation folds: `axis` and all behind it. */
export interface FromAxis extends Epsilon {
  readonly axis?: number;
}

/**
 * scale (x - mean) / sqrt(variance + epsilon) + bias over the last axes. The node's further outputs, mean and
 * 1/sqrt(variance + epsilon), are for the gradient, FLOAT for any x.
 */
export function LayerNormalization(x: Value, scale: Value, bias: Value | null, options: FromAxis = {}): Value {
  const { axis = -1, epsilon = EPSILON } = options;
  expectType('LayerNormalization', 0, x, REAL);
  const at = expectAxis('LayerNormalization', x, axis);
  expectGain('LayerNormalization', x, 1, scale, at);
  if (bias) expectGain('LayerNormalization', x, 2, bias, at);
  const folded = { type: 'FLOAT', shape: x.shape.map((dim, index) => (index < at ? dim : 1)) } as const;
  const [y] = x.graph.emit({
    type: 'LayerNormalization',
    inputs: bias ? [x, scale, bias] : [x, scale],
    outputs: [describeOf(x), folded, folded],
    optional: 2,
    attributes: { axis: int(at), epsilon: float(epsilon) },
  });
  return only(y ? [y] : []);
}

/** scale x / sqrt(mean of squares + epsilon) over the last axes. */
export function RMSNormalization(x: Value, scale: Value, { axis = -1, epsilon = EPSILON }: FromAxis = {}): Value {
  expectType('RMSNormalization', 0, x, REAL);
  const at = expectAxis('RMSNormalization', x, axis);
  expectGain('RMSNormalization', x, 1, scale, at);
  const attributes = { axis: int(at), epsilon: float(epsilon) };
  const outputs = [describeOf(x)];
  return only(x.graph.emit({ type: 'RMSNormalization', inputs: [x, scale], outputs, attributes }));
}

/** Each row's channels in so many groups, each normalised; scale and bias [C]. */
export function GroupNormalization(
  x: Value,
  scale: Value,
  bias: Value,
  { groups, epsilon = EPSILON }: Epsilon & { readonly groups: number },
): Value {
  const channels = expectVectors('GroupNormalization', x, [scale, bias]);
  if (groups < 1 || channels % groups !== 0)
    refuseArgument('GroupNormalization', x, `${channels} channels must be a multiple of ${groups} groups`);
  const attributes = { num_groups: int(groups), epsilon: float(epsilon) };
  const inputs = [x, scale, bias];
  return only(x.graph.emit({ type: 'GroupNormalization', inputs, outputs: [describeOf(x)], attributes }));
}

/** Each row's channels, each normalised for itself; scale and bias [C]. */
export function InstanceNormalization(x: Value, scale: Value, bias: Value, options: Epsilon = {}): Value {
  expectVectors('InstanceNormalization', x, [scale, bias]);
  const attributes = { epsilon: float(options.epsilon ?? EPSILON) };
  const inputs = [x, scale, bias];
  return only(x.graph.emit({ type: 'InstanceNormalization', inputs, outputs: [describeOf(x)], attributes }));
}

function expectVectors(op: OpName, x: Value, vectors: readonly Value[]): number {
  expectType(op, 0, x, REAL);
  if (x.shape.length < 3) refuse(op, 0, x, '[N,C,...]');
  const channels = expectLength(op, 0, x, 1);
  vectors.forEach((vector, index) => {
    if (!sameShape(vector.shape, [channels])) refuse(op, index + 1, vector, `[${channels}]`);
  });
  return channels;
}

function expectGain(op: OpName, x: Value, index: number, gain: Value, axis: number): void {
  expectPair(op, x, gain);
  const folded = x.shape.slice(axis);
  const joint = broadcast(gain.shape, folded);
  if (!joint || !sameShape(joint, folded)) refuse(op, index, gain, `broadcastable to [${folded}]`);
}

const describeOf = ({ type, shape }: Value) => ({ type, shape });
