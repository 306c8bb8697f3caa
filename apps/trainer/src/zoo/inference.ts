/**
 * Networks as they are used: behind features with trained weights inside (the artifact), or with weights as an input
 * (validation).
 */
import type { Task } from '../contract/run-spec.ts';
import { GraphBuilder, type Value } from '../ir/builder.ts';
import { encodeModel } from '../ir/encode.ts';
import { GraphError } from '../ir/errors.ts';
import * as op from '../ir/ops.ts';
import { type Network, parameterSize } from './network.ts';
import { unflatten } from './unflatten.ts';

/** Name and width of what a task's users read. */
export type OutputName = 'probabilities' | 'value';

/** A network without weights, ready to be asked with any. */
export interface EvaluationProgram {
  readonly kind: 'EVALUATION';
  /** An ONNX file: params [P], x [N,inputs] -> logits [N,outputs], output. */
  readonly model: Uint8Array<ArrayBuffer>;
  readonly network: Network;
  readonly output: OutputName;
}

/** Logits [N,outputs] -> probabilities [N,C] in order of class index (BINARY: C = 2), or value [N]. */
export function head(logits: Value, task: Task): Value {
  if (task === 'REGRESSION') return op.Squeeze(logits, [1]);
  if (task === 'MULTICLASS') return op.Softmax(logits);
  // softmax of [0, z] is [1 - sigmoid(z), sigmoid(z)]. ONNX Runtime's Sigmoid is a rational approximation without
  // digits near 0 (17 % off at z = -15, 0 below), which a log loss would turn into infinity; its exp has them.
  return op.Softmax(op.Pad(logits, [0, 1], [0, 0]));
}

/** What the output of a task is called in every ONNX file of ours. */
export function outputName(task: Task): OutputName {
  return task === 'REGRESSION' ? 'value' : 'probabilities';
}

/**
 * Appends the trained network to features FLOAT [N,inputs], its weights as named initializers; answers `head` of it.
 */
export function infer(x: Value, o: { network: Network; params: Float32Array; task: Task }): Value {
  const { network, params, task } = o;
  if (params.length !== network.parameterCount)
    throw new GraphError(`infer: expected ${network.parameterCount} parameters; got ${params.length}`);
  let at = 0;
  const weights = network.parameters.map((parameter) => {
    const part = params.subarray(at, at + parameterSize(parameter));
    at += part.length;
    return x.graph.initializer(parameter.name, 'FLOAT', parameter.shape, part);
  });
  return head(network.forward(x, weights), task);
}

/** The graph that judges a network on any number of rows at any moment of its training. */
export function compileEvaluation({ network, task }: { network: Network; task: Task }): EvaluationProgram {
  const g = new GraphBuilder('evaluation');
  const params = g.input('params', 'FLOAT', [network.parameterCount]);
  const x = g.input('x', 'FLOAT', ['N', network.inputs]);
  const logits = network.forward(x, unflatten(params, network));
  g.output('logits', logits);
  g.output('output', head(logits, task));
  return { kind: 'EVALUATION', model: encodeModel(g.model()), network, output: outputName(task) };
}
