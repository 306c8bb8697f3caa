/** Lion as a graph fragment. */
import type { Optimizer } from '../contract/run-spec.ts';
import { GraphError } from '../ir/errors.ts';
import * as op from '../ir/ops.ts';
import type { Update } from './optimizer.ts';

type Settings = Extract<Optimizer, { kind: 'LION' }>;

/**
 * Lion (Chen et al. 2023, https://arxiv.org/abs/2302.06675, algorithm 2): every weight moves by the learning rate, in
 * the direction of c = b1 m + (1-b1) g; m = b2 m + (1-b2) g. Weight decay is decoupled, on matrices only.
 */
export function lion({ beta1, beta2, weightDecay }: Settings): Update {
  return {
    slots: ['m'],
    weightDecay,
    apply({ params, gradient: g, slots, learningRate, decayed }) {
      if (!slots.m) throw new GraphError('Lion needs the slot m');
      const c = op.Add(op.Mul(slots.m, beta1), op.Mul(g, 1 - beta1));
      // Not Sign, which is missing on WebGPU.
      const number = (value: number) => c.graph.constant(c.type, [], [value]);
      const sign = op.Where(op.Greater(c, 0), number(1), op.Where(op.Less(c, 0), number(-1), number(0)));
      const pull = decayed ? op.Add(sign, op.Mul(op.Mul(params, decayed), weightDecay)) : sign;
      const m = op.Add(op.Mul(slots.m, beta2), op.Mul(g, 1 - beta2));
      return { params: op.Sub(params, op.Mul(pull, learningRate)), slots: { m } };
    },
  };
}
