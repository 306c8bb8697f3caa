/** Activation functions beyond the elementary ones. */
import type { Value } from '../builder.ts';
import type { OpName } from '../ops.ts';
import type { Attribute } from '../types.ts';
import { expectType, only, REAL, text } from './check.ts';

/** x where positive, else slope x. */
export function LeakyRelu(x: Value, slope = 0.01): Value {
  return activation('LeakyRelu', x, { alpha: { type: 'FLOAT', value: slope } });
}

/** x where positive, else alpha (e^x - 1). */
export function Elu(x: Value, alpha = 1): Value {
  return activation('Elu', x, { alpha: { type: 'FLOAT', value: alpha } });
}

/** x Phi(x), Phi the normal distribution's; or its approximation by tanh. */
export function Gelu(x: Value, approximate: 'none' | 'tanh' = 'none'): Value {
  return activation('Gelu', x, { approximate: text(approximate) });
}

/** x sigmoid(alpha x), which is SiLU for alpha = 1. */
export function Swish(x: Value, alpha = 1): Value {
  return activation('Swish', x, { alpha: { type: 'FLOAT', value: alpha } });
}

/** x max(0, min(1, x/6 + 1/2)) */
export function HardSwish(x: Value): Value {
  return activation('HardSwish', x, {});
}

/** max(0, min(1, alpha x + beta)) */
export function HardSigmoid(x: Value, alpha = 0.2, beta = 0.5): Value {
  return activation('HardSigmoid', x, {
    alpha: { type: 'FLOAT', value: alpha },
    beta: { type: 'FLOAT', value: beta },
  });
}

function activation(op: OpName, x: Value, attributes: Record<string, Attribute>): Value {
  expectType(op, 0, x, REAL);
  return only(x.graph.emit({ type: op, inputs: [x], outputs: [{ type: x.type, shape: x.shape }], attributes }));
}
