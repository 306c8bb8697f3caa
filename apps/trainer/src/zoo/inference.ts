/**
 * Networks as they are used: behind features with trained weights inside (the artifact), or with weights as an input
 * (validation).
 */
import type { Task } from '../contract/run-spec.ts';
import { GraphBuilder, type Value } from '../ir/builder.ts';
import { encodeModel } from '../ir/encode.ts';
import { GraphError } from '../ir/errors.ts';
import * as op from '../ir/ops.ts';
import { type Network, type Parameter, parameterSize, rowShape, rowType, type Weights } from './network.ts';
import { unflatten } from './unflatten.ts';

/** Name and width of what a task's users read. */
export type OutputName = 'probabilities' | 'value';

/** A network without weights, ready to be asked with any. */
export interface EvaluationProgram {
  readonly kind: 'EVALUATION';
  /** An ONNX file: params [P], buffers [Q] (if the network has any), x [N,...row] -> logits [N,outputs], output. */
  readonly model: Uint8Array<ArrayBuffer>;
  readonly network: Network;
  /** Shape of one row of x. */
  readonly row: readonly number[];
  readonly xType: 'FLOAT' | 'INT32';
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

/** Appends the trained network to rows x [N,...row], its weights as named initializers; answers `head` of it. */
export function infer(x: Value, o: { network: Network; weights: Weights; task: Task }): Value {
  const { network, weights, task } = o;
  const parameters = initializers(x, network.parameters, weights.params, 'parameters');
  const buffers = initializers(x, network.buffers, weights.buffers, 'buffers');
  return head(network.forward(x, parameters, buffers, { kind: 'INFERENCE' }).logits, task);
}

/** The graph that judges a network on any number of rows at any moment of its training. */
export function compileEvaluation(o: {
  network: Network;
  task: Task;
  length?: number;
  gpu?: boolean;
}): EvaluationProgram {
  const { network, task } = o;
  const g = new GraphBuilder('evaluation');
  const params = g.input('params', 'FLOAT', [network.parameterCount]);
  const state = network.bufferCount > 0 ? g.input('buffers', 'FLOAT', [network.bufferCount]) : null;
  const [row, xType] = [rowShape(network.input, o.length), rowType(network.input)];
  const x = g.input('x', xType, ['N', ...row]);
  const buffers = state ? unflatten(state, network.buffers, o) : [];
  const { logits } = network.forward(x, unflatten(params, network.parameters, o), buffers, { kind: 'INFERENCE' });
  g.output('logits', logits);
  g.output('output', head(logits, task));
  return { kind: 'EVALUATION', model: encodeModel(g.model()), network, row, xType, output: outputName(task) };
}

function initializers(
  x: Value,
  tensors: readonly Pick<Parameter, 'name' | 'shape'>[],
  flat: Float32Array,
  what: 'parameters' | 'buffers',
): Value[] {
  const expected = tensors.reduce((sum, tensor) => sum + parameterSize(tensor), 0);
  if (flat.length !== expected) throw new GraphError(`infer: expected ${expected} ${what}; got ${flat.length}`);
  let at = 0;
  return tensors.map((tensor) => {
    const part = flat.subarray(at, at + parameterSize(tensor));
    at += part.length;
    return x.graph.initializer(tensor.name, 'FLOAT', tensor.shape, part);
  });
}
