/**
 * What an engine is: something that runs compiled graphs. Trainers keep no state between calls (it goes in and out),
 * so that a checkpoint needs nothing from the engine; one that keeps it on a device may do so behind the same
 * interface.
 */
import type { TrainingProgram } from '../autodiff/compile.ts';
import type { EngineChoice } from '../contract/run-spec.ts';
import type { Tensor } from '../ir/types.ts';
import type { State } from '../optim/state.ts';
import type { EvaluationProgram } from '../zoo/inference.ts';

/** An engine by name: every choice that is not AUTO. */
export type EngineName = Exclude<EngineChoice, 'AUTO'>;

/** K steps of data: [K,B,...] in row-major order; K follows from the lengths. */
export interface Chunk {
  /** [K,B,F] */
  readonly x: Float32Array;
  /** [K,B]: class indices (Int32Array) for BCE and cross-entropy, values (Float32Array) for MSE. */
  readonly y: Int32Array | Float32Array;
  /** [K,B]: how much each row counts; 0 for the padding of the last batch. */
  readonly weight: Float32Array;
  /** One for all steps, or [K]. */
  readonly learningRate: number | Float32Array;
}

/** A training program loaded into an engine. */
export interface Trainer {
  /** Runs the chunk's steps from this state, which is left as it was; answers the new one and each step's mean loss. */
  run(state: State, chunk: Chunk): Promise<{ state: State; losses: Float32Array }>;
  close(): Promise<void>;
}

/** An evaluation program loaded into an engine. */
export interface Evaluator {
  /** Rows x [N,F] through the network with these parameters: logits [N,outputs], output as `infer` has it. */
  run(params: Float32Array, x: Float32Array): Promise<{ logits: Float32Array; output: Float32Array }>;
  close(): Promise<void>;
}

/** Any ONNX file loaded into an engine. */
export interface LoadedGraph {
  /** Runs it: inputs by name, all outputs by name. */
  run(inputs: readonly Tensor[]): Promise<ReadonlyMap<string, Tensor>>;
  close(): Promise<void>;
}

/** Runs graphs on one kind of device. */
export interface Engine {
  readonly name: EngineName;
  /** For people: what it runs on. */
  readonly device: string;
  trainer(program: TrainingProgram): Promise<Trainer>;
  evaluator(program: EvaluationProgram): Promise<Evaluator>;
  graph(model: Uint8Array): Promise<LoadedGraph>;
}

/** What an engine cannot do or was wrongly given; the message says what to change. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
}
