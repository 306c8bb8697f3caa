/** Batch normalisation (Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167, algorithms 1 and 2). */
import { batchNormalization } from '../../autodiff/batch-norm.ts';
import type { Value } from '../../ir/builder.ts';
import * as op from '../../ir/ops.ts';
import { axisOf } from '../axes.ts';
import { constant, zeros } from '../initialisers.ts';
import type { Module } from '../module.ts';

const EPSILON = 1e-5;
/** How much of the running statistics one batch replaces: 1 - 0.9, as in the ResNet paper's code and in PyTorch. */
const SHARE = 0.1;

/**
 * gamma (x - mean) / sqrt(variance + epsilon) + beta over [N,C,H,W], per channel: with the statistics of the batch in
 * training, with the running ones in inference. `gain` is gamma's first value.
 */
export function batchNorm(m: Module, name: string, x: Value, { gain = 1 }: { gain?: number } = {}): Value {
  return m.scope(name, () => {
    const channels = [axisOf(x, 1)];
    const gamma = m.parameter('weight', channels, constant(gain));
    const beta = m.parameter('bias', channels, zeros);
    const mean = m.buffer('mean', channels, 0);
    const variance = m.buffer('variance', channels, 1);
    if (m.mode.kind === 'INFERENCE') return op.BatchNormalization(x, gamma, beta, mean, variance, { epsilon: EPSILON });
    const batch = batchNormalization(x, gamma, beta, m.mode.weight, { epsilon: EPSILON });
    m.update(mean, moved(mean, batch.mean));
    m.update(variance, moved(variance, batch.variance));
    return batch.y;
  });
}

const moved = (running: Value, seen: Value) => op.Add(op.Mul(running, 1 - SHARE), op.Mul(seen, SHARE));
