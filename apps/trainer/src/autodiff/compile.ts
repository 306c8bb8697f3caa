/**
 * The training step as an ONNX file: forward graph, loss, gradients and update, K steps per call in one Scan. The
 * state is flat vectors (parameters and moments), because every tensor that crosses the runtime's border costs
 * microseconds.
 */
import { type Loss, type LossSettings, lossProblem, type Optimizer } from '../contract/run-spec.ts';
import { GraphBuilder } from '../ir/builder.ts';
import { encodeModel } from '../ir/encode.ts';
import { GraphError } from '../ir/errors.ts';
import * as op from '../ir/ops.ts';
import type { DataType } from '../ir/types.ts';
import { type Slot, updateOf } from '../optim/optimizer.ts';
import { type Network, rowShape, rowType } from '../zoo/network.ts';
import { labelType } from './losses.ts';
import type { Target } from './rule.ts';
import { type StepOptions, stateList, stepGraph, stepInputs } from './step.ts';

/** What to train, by which loss and optimiser, so many rows per step. */
export interface TrainingOptions {
  readonly network: Network;
  readonly loss: Loss;
  readonly lossSettings?: LossSettings | undefined;
  readonly optimizer: Optimizer;
  readonly batchSize: number;
  /** Longest gradient. */
  readonly clipNorm?: number | undefined;
  /** In how many parts a step's rows are computed; divides batchSize. */
  readonly accumulate?: number | undefined;
  /** Decay of the moving average of the parameters. */
  readonly ema?: number | undefined;
  /** Makes dropout's masks; the same numbers for the same seed and step. */
  readonly seed?: number | undefined;
  /** To what length token rows are padded; the network's longest, if left out. All lengths share one state. */
  readonly length?: number | undefined;
  /** Whose kernels are chosen; CPU, if left out. */
  readonly target?: Target | undefined;
  /** SCAN: K steps per call (CPU). SINGLE: one step per call, so that the state can stay on a device. */
  readonly loop?: 'SCAN' | 'SINGLE' | undefined;
}

/** A compiled training step. The number of steps K is not in it: one program takes chunks of any length. */
export interface TrainingProgram {
  readonly kind: 'TRAINING';
  /**
   * An ONNX file. Inputs: params [P], those of `slots` [P], buffers [Q] (if the network has any), step INT32 [1],
   * x [K,B,...row], y [K,B], weight [K,B], learningRate [K]. Outputs: the state after K steps under the same names
   * with a prime, and losses [K]. SINGLE: the same without K.
   */
  readonly model: Uint8Array<ArrayBuffer>;
  readonly network: Network;
  readonly slots: readonly Slot[];
  readonly batchSize: number;
  /** INT32 class indices, or FLOAT values. */
  readonly labelType: DataType;
  /** Shape of one row of x. */
  readonly row: readonly number[];
  readonly xType: 'FLOAT' | 'INT32';
  readonly loop: 'SCAN' | 'SINGLE';
  /** Name of the flat gradient [P] in a step, before clipping: an engine with gradients of its own cuts there. */
  readonly gradient: string;
}

/** Compiles training into one ONNX file. @throws GraphError for options that do not fit together */
export function compileTraining(options: TrainingOptions): TrainingProgram {
  const { network, loop = 'SCAN' } = options;
  const step = stepOptions(options);
  const body = stepGraph(step, loop === 'SCAN' ? 'step/' : '');
  const graph = loop === 'SCAN' ? scanGraph(step, body.graph) : body.graph;
  return {
    kind: 'TRAINING',
    model: encodeModel(graph.model()),
    network,
    slots: step.slots,
    batchSize: step.batchSize,
    labelType: labelType(step.loss),
    row: rowShape(network.input, options.length),
    xType: rowType(network.input),
    loop,
    gradient: body.gradient.name,
  };
}

function stepOptions(options: TrainingOptions): StepOptions {
  const { network, loss, lossSettings = {}, batchSize, length, clipNorm, ema } = options;
  const { accumulate = 1, seed = 0, target = 'CPU' } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new GraphError(`compileTraining: batchSize must be an integer of 1 or more; it is ${batchSize}`);
  if (!Number.isInteger(batchSize / accumulate))
    throw new GraphError(`compileTraining: accumulate ${accumulate} must divide the batch size ${batchSize}`);
  const problem = lossProblem(loss, lossSettings);
  if (problem) throw new GraphError(`compileTraining: ${problem}`);
  const update = updateOf(options.optimizer);
  const slots: Slot[] = [...update.slots, ...(ema === undefined ? [] : (['ema'] as const))];
  return { network, loss, lossSettings, update, slots, batchSize, seed, length, clipNorm, accumulate, ema, target };
}

/** K steps in a loop. */
function scanGraph(step: StepOptions, body: GraphBuilder): GraphBuilder {
  const g = new GraphBuilder('training');
  const { states, batch } = stepInputs(g, step, { scope: '', lead: ['K'] });
  const inputs = stateList(states);
  const results = op.Scan(g, { body, states: inputs, sequences: Object.values(batch) });
  results.forEach((result, index) => {
    const state = inputs[index];
    g.output(state ? `${state.name}'` : 'losses', result);
  });
  return g;
}
