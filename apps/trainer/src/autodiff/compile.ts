/**
 * The training step as an ONNX file: forward graph, loss, gradients and update, K steps per call in one Scan. The
 * state is flat vectors (parameters and moments), because every tensor that crosses the runtime's border costs
 * microseconds.
 */
import type { Loss, Optimizer } from '../contract/run-spec.ts';
import { GraphBuilder, type Value } from '../ir/builder.ts';
import { encodeModel } from '../ir/encode.ts';
import { GraphError } from '../ir/errors.ts';
import * as op from '../ir/ops.ts';
import type { DataType } from '../ir/types.ts';
import { type Slot, type Update, updateOf } from '../optim/optimizer.ts';
import { type Network, parameterSize } from '../zoo/network.ts';
import { unflatten } from '../zoo/unflatten.ts';
import { gradientOf } from './gradients.ts';
import { labelType, meanLoss } from './losses.ts';

/** What to train, by which loss and optimiser, so many rows per step. */
export interface TrainingOptions {
  readonly network: Network;
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  readonly batchSize: number;
}

/** A compiled training step. The number of steps K is not in it: one program takes chunks of any length. */
export interface TrainingProgram {
  readonly kind: 'TRAINING';
  /**
   * An ONNX file. Inputs: params [P], m [P], v [P] (those of `slots`), step INT32 [1], x [K,B,F], y [K,B], weight
   * [K,B], learningRate [K]. Outputs: the state after K steps as params', m', v', step', and losses [K].
   */
  readonly model: Uint8Array<ArrayBuffer>;
  readonly network: Network;
  readonly slots: readonly Slot[];
  readonly batchSize: number;
  /** INT32 class indices, or FLOAT values. */
  readonly labelType: DataType;
}

/** Compiles K steps of training into one ONNX file. */
export function compileTraining(options: TrainingOptions): TrainingProgram {
  const { network, loss, batchSize } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new GraphError(`compileTraining: batchSize must be an integer of 1 or more; it is ${batchSize}`);
  const update = updateOf(options.optimizer);
  const labels = labelType(loss);
  const g = new GraphBuilder('training');
  const vector = [network.parameterCount];
  const states = [
    ...['params', ...update.slots].map((name) => g.input(name, 'FLOAT', vector)),
    g.input('step', 'INT32', [1]),
  ];
  const sequences = [
    g.input('x', 'FLOAT', ['K', batchSize, network.inputs]),
    g.input('y', labels, ['K', batchSize]),
    g.input('weight', 'FLOAT', ['K', batchSize]),
    g.input('learningRate', 'FLOAT', ['K']),
  ];
  const body = stepGraph(options, update);
  const results = op.Scan(g, { body, states, sequences });
  results.forEach((result, index) => {
    const state = states[index];
    g.output(state ? `${state.name}'` : 'losses', result);
  });
  return {
    kind: 'TRAINING',
    model: encodeModel(g.model()),
    network,
    slots: update.slots,
    batchSize,
    labelType: labels,
  };
}

/** One step: (params, slots, step; x, y, weight, learningRate) -> (params, slots, step; loss). */
function stepGraph(options: TrainingOptions, update: Update): GraphBuilder {
  const { network, loss, batchSize } = options;
  const g = new GraphBuilder('step', 'step/');
  const vector = [network.parameterCount];
  const params = g.input('step/params', 'FLOAT', vector);
  const slots = Object.fromEntries(update.slots.map((name) => [name, g.input(`step/${name}`, 'FLOAT', vector)]));
  const done = g.input('step/step', 'INT32', [1]);
  const x = g.input('step/x', 'FLOAT', [batchSize, network.inputs]);
  const labels = g.input('step/y', labelType(loss), [batchSize]);
  const weight = g.input('step/weight', 'FLOAT', [batchSize]);
  const learningRate = g.input('step/learningRate', 'FLOAT', []);

  const logits = network.forward(x, unflatten(params, network));
  const mean = meanLoss(loss, { logits, labels, weight });
  const gradient = gradientOf(mean, params);
  const step = op.Add(done, 1);
  const decayed = update.weightDecay > 0 ? decayMask(g, network) : null;
  const next = g.scope('update', () => update.apply({ params, gradient, slots, step, learningRate, decayed }));

  g.output("step/params'", next.params);
  for (const name of update.slots) {
    const slot = next.slots[name];
    if (!slot) throw new GraphError(`${options.optimizer.kind} declares the slot ${name} but does not update it`);
    g.output(`step/${name}'`, slot);
  }
  g.output("step/step'", step);
  g.output('step/loss', mean);
  return g;
}

/** 1 where weight decay applies, 0 elsewhere, along the flat vector. */
function decayMask(g: GraphBuilder, network: Network): Value {
  const mask = new Float32Array(network.parameterCount);
  let at = 0;
  for (const parameter of network.parameters) {
    const end = at + parameterSize(parameter);
    if (parameter.decays) mask.fill(1, at, end);
    at = end;
  }
  return g.constant('FLOAT', [mask.length], mask);
}
