/** Moving average of the weights as a graph fragment. */
import type { Value } from '../ir/builder.ts';
import * as op from '../ir/ops.ts';

/**
 * ema + (1 - d) (params - ema) with d = min(decay, (1 + t) / (10 + t)) at step t: the first steps, whose weights are
 * nearly random, are forgotten sooner (as TensorFlow's ExponentialMovingAverage with num_updates).
 */
export function averaged(ema: Value, params: Value, { decay, step }: { decay: number; step: Value }): Value {
  const t = op.Cast(step, params.type);
  const d = op.Min(op.Div(op.Add(t, 1), op.Add(t, 10)), decay);
  return op.Add(ema, op.Mul(op.Sub(params, ema), op.Sub(1, d)));
}
