/** The linear layer. */
import type { Value } from '../../ir/builder.ts';
import * as op from '../../ir/ops.ts';
import { lastAxis } from '../axes.ts';
import { linearUniform, xavierUniform, zeros } from '../initialisers.ts';
import type { Initialiser, Module } from '../module.ts';

/** Initial weight and bias of a layer from so many inputs to so many outputs. */
export type LinearStart = (inputs: number, outputs: number) => { weight: Initialiser; bias: Initialiser };

/** PyTorch's default, what the multilayer perceptron of this project was measured with. */
export const uniformStart: LinearStart = (inputs) => ({ weight: linearUniform(inputs), bias: linearUniform(inputs) });

/** Glorot's, for classifiers behind convolutions. */
export const xavierStart: LinearStart = (inputs, outputs) => ({ weight: xavierUniform(inputs, outputs), bias: zeros });

/** x W + b: [...,inputs] -> [...,outputs] */
export function linear(m: Module, name: string, x: Value, o: { outputs: number; start?: LinearStart }): Value {
  return m.scope(name, () => {
    const inputs = lastAxis(x);
    const { weight, bias } = (o.start ?? xavierStart)(inputs, o.outputs);
    const W = m.parameter('weight', [inputs, o.outputs], weight);
    const b = m.parameter('bias', [o.outputs], bias);
    return x.shape.length === 2 ? op.Gemm(x, W, { c: b }) : op.Add(op.MatMul(x, W), b);
  });
}
