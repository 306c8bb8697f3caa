/** Adam and AdamW as graph fragments: they differ only in where weight decay comes in. */
import type { Optimizer } from '../contract/run-spec.ts';
import type { Value } from '../ir/builder.ts';
import { GraphError } from '../ir/errors.ts';
import * as op from '../ir/ops.ts';
import type { Update } from './optimizer.ts';

type Settings = Omit<Extract<Optimizer, { kind: 'ADAMW' }>, 'kind'>;

/**
 * AdamW (Loshchilov and Hutter, https://arxiv.org/abs/1711.05101) as torch.optim.AdamW has it: weight decay is
 * decoupled from the gradient (p = p - lr wd p), here on matrices only. m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2; p
 * = p - lr (m / (1-b1^t)) / (sqrt(v / (1-b2^t)) + eps).
 */
export function adamw(settings: Settings): Update {
  return moments(settings, 'DECOUPLED');
}

/** Adam (Kingma and Ba, https://arxiv.org/abs/1412.6980) as torch.optim.Adam: g = dL/dp + wd p, then the same. */
export function adam(settings: Settings): Update {
  return moments(settings, 'IN_GRADIENT');
}

function moments({ beta1, beta2, epsilon, weightDecay }: Settings, decay: 'DECOUPLED' | 'IN_GRADIENT'): Update {
  return {
    slots: ['m', 'v'],
    weightDecay,
    apply({ params, gradient, slots, step, learningRate, decayed }) {
      if (!slots.m || !slots.v) throw new GraphError('Adam needs the slots m and v');
      const pull = decayed && decay === 'IN_GRADIENT' ? op.Mul(op.Mul(params, decayed), weightDecay) : null;
      const g = pull ? op.Add(gradient, pull) : gradient;
      const m = op.Add(op.Mul(slots.m, beta1), op.Mul(g, 1 - beta1));
      const v = op.Add(op.Mul(slots.v, beta2), op.Mul(op.Mul(g, g), 1 - beta2));
      const t = op.Cast(step, params.type);
      const rate = op.Div(learningRate, biasCorrection(beta1, t));
      const deviation = op.Sqrt(op.Div(v, biasCorrection(beta2, t)));
      const change = op.Mul(op.Div(m, op.Add(deviation, epsilon)), rate);
      const shrink = decayed && decay === 'DECOUPLED' ? op.Mul(decayed, op.Mul(learningRate, weightDecay)) : null;
      const kept = shrink ? op.Mul(params, op.Sub(1, shrink)) : params;
      return { params: op.Sub(kept, change), slots: { m, v } };
    },
  };
}

/**
 * 1 - beta^t. Written with tanh because float32 loses half of its digits in 1 - 0.999^1:
 * 1 - exp(-a) = 2 tanh(a/2) / (1 + tanh(a/2)) with a = -t log(beta) does not.
 */
function biasCorrection(beta: number, t: Value): Value {
  if (beta === 0) return op.Add(op.Mul(t, 0), 1);
  const half = op.Tanh(op.Mul(t, -Math.log(beta) / 2));
  return op.Div(op.Mul(half, 2), op.Add(half, 1));
}
