/** Layer normalisation (Ba, Kiros and Hinton 2016, https://arxiv.org/abs/1607.06450). */
import type { Value } from '../../ir/builder.ts';
import * as op from '../../ir/ops.ts';
import { lastAxis } from '../axes.ts';
import { constant, zeros } from '../initialisers.ts';
import type { Module } from '../module.ts';

/** PyTorch's; BERT's 1e-12 is below what float32 tells from 0. */
const EPSILON = 1e-5;

/** Each vector along the last axis with mean 0 and variance 1, then gamma and beta: same shape. */
export function layerNorm(m: Module, name: string, x: Value): Value {
  return m.scope(name, () => {
    const width = [lastAxis(x)];
    const gamma = m.parameter('weight', width, constant(1));
    const beta = m.parameter('bias', width, zeros);
    return op.LayerNormalization(x, gamma, beta, { axis: -1, epsilon: EPSILON });
  });
}
