/** Adam and AdamW as graph fragments: they differ only in where weight decay comes in. */
import type { Optimizer } from '../contract/run-spec.ts';
import type { Value } from '../ir/builder.ts';
import { GraphError } from '../ir/errors.ts';
import * as op from '../ir/ops.ts';
import { sizeOf, staticShape } from '../ir/shapes.ts';
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

/**
 * The slots are m / (1-b1) and v / (1-b2): sums instead of means, which saves a pass over all parameters each. Passes
 * over memory are what an update costs (measured: 40 % of a step of a network of 0.5 million parameters).
 */
function moments({ beta1, beta2, epsilon, weightDecay }: Settings, decay: 'DECOUPLED' | 'IN_GRADIENT'): Update {
  return {
    slots: ['m', 'v'],
    weightDecay,
    apply({ params, gradient, slots, step, learningRate, decayed, exempt = null }) {
      if (!slots.m || !slots.v) throw new GraphError('Adam needs the slots m and v');
      const pull = decayed && decay === 'IN_GRADIENT' ? op.Mul(op.Mul(params, decayed), weightDecay) : null;
      const g = pull ? op.Add(gradient, pull) : gradient;
      const m = op.Add(op.Mul(slots.m, beta1), g);
      const v = op.Add(op.Mul(slots.v, beta2), op.Mul(g, g));
      // Everything that is one number is put together before it meets a vector.
      const [first, second] = corrections([beta1, beta2], op.Cast(step, params.type));
      const spread = op.Sqrt(second);
      const rate = op.Div(op.Mul(learningRate, first), spread);
      const deviation = op.Add(op.Sqrt(v), op.Div(epsilon, spread));
      const change = op.Mul(op.Div(m, deviation), rate);
      const shrink = decay === 'DECOUPLED' && weightDecay > 0 ? op.Mul(learningRate, weightDecay) : null;
      const kept = shrink ? shrunk(params, shrink, { decayed, exempt }) : params;
      return { params: op.Sub(kept, change), slots: { m, v } };
    },
  };
}

/** params (1 - by) where weight decay applies. */
function shrunk(params: Value, by: Value, { decayed, exempt }: { decayed: Value | null; exempt: Value | null }): Value {
  if (!exempt) return decayed ? op.Mul(params, op.Sub(1, op.Mul(decayed, by))) : params;
  const places = op.Reshape(exempt, [sizeOf(staticShape(exempt.shape) ?? []), 1]);
  return op.ScatterND(op.Mul(params, op.Sub(1, by)), places, op.Gather(params, exempt), 'none');
}

/**
 * (1 - beta) / (1 - beta^t) of both betas. Written with tanh because float32 loses half of its digits in 1 - 0.999^1:
 * 1 - exp(-a) = 2 tanh(a/2) / (1 + tanh(a/2)) with a = -t log(beta) does not.
 */
function corrections(betas: readonly [number, number], t: Value): readonly [Value, Value] {
  const both = (of: (beta: number) => number) => t.graph.constant(t.type, [2], betas.map(of));
  const half = op.Tanh(
    op.Mul(
      t,
      both((beta) => -Math.log(beta) / 2),
    ),
  );
  const scaled = op.Mul(
    op.Add(half, 1),
    both((beta) => (1 - beta) / 2),
  );
  const [first = scaled, second = scaled] = op.Split(op.Div(scaled, half), [1, 1], 0);
  return [first, second];
}
