/** Stochastic gradient descent as a graph fragment. */
import type { Optimizer } from '../contract/run-spec.ts';
import { GraphError } from '../ir/errors.ts';
import * as op from '../ir/ops.ts';
import type { Update } from './optimizer.ts';

type Settings = Extract<Optimizer, { kind: 'SGD' }>;

/**
 * SGD as torch.optim.SGD has it: g = dL/dp + wd p; m = mu m + g; p = p - lr m. Weight decay is the L2 term in the
 * gradient (not decoupled), on matrices only. Without momentum there is no m. Nesterov: p = p - lr (g + mu m).
 */
export function sgd({ momentum, nesterov = false, weightDecay }: Settings): Update {
  return {
    slots: momentum > 0 ? ['m'] : [],
    weightDecay,
    apply({ params, gradient, slots, learningRate, decayed }) {
      const g = decayed ? op.Add(gradient, op.Mul(op.Mul(params, decayed), weightDecay)) : gradient;
      if (momentum === 0) return { params: op.Sub(params, op.Mul(g, learningRate)), slots: {} };
      if (!slots.m) throw new GraphError('SGD with momentum needs the slot m');
      const m = op.Add(op.Mul(slots.m, momentum), g);
      const direction = nesterov ? op.Add(g, op.Mul(m, momentum)) : m;
      return { params: op.Sub(params, op.Mul(direction, learningRate)), slots: { m } };
    },
  };
}
