/**
 * What an engine is: something that runs compiled graphs. A training keeps its state where the engine is fastest; what
 * goes in and comes out is plain arrays, so that a checkpoint needs nothing from the engine.
 */
import type { TrainingProgram } from '../autodiff/compile.ts';
import type { Target } from '../autodiff/rule.ts';
import type { EngineChoice } from '../contract/run-spec.ts';
import type { Tensor } from '../ir/types.ts';
import type { State } from '../optim/state.ts';
import type { EvaluationProgram } from '../zoo/inference.ts';
import type { Weights } from '../zoo/network.ts';

/** An engine by name: every choice that is not AUTO. */
export type EngineName = Exclude<EngineChoice, 'AUTO'>;

/** K steps of data: [K,B,...] in row-major order; K follows from the lengths. */
export interface Chunk {
  /** [K,B,...row]: numbers, or tokens (Int32Array). */
  readonly x: Float32Array | Int32Array;
  /** [K,B]: class indices (Int32Array) for BCE and cross-entropy, values (Float32Array) for MSE. */
  readonly y: Int32Array | Float32Array;
  /** [K,B]: how much each row counts; 0 for the padding of the last batch. */
  readonly weight: Float32Array;
  /** One for all steps, or [K]. */
  readonly learningRate: number | Float32Array;
}

/** The state of a training under way, wherever its engine wants it: in arrays, or in the memory of a GPU. */
export interface HeldState {
  /** As plain arrays. On a GPU this waits and copies: for epoch ends, not for every chunk. */
  read(): Promise<State>;
  close(): Promise<void>;
}

/** A training program loaded into an engine. */
export interface Trainer {
  /** Runs the chunk's steps on a state that this engine holds; answers each step's mean loss. */
  step(held: HeldState, chunk: Chunk): Promise<Float32Array>;
  /** The same with plain arrays in and out, for a single chunk; `state` is left as it was. */
  run(state: State, chunk: Chunk): Promise<{ state: State; losses: Float32Array }>;
  close(): Promise<void>;
}

/** An evaluation program loaded into an engine. */
export interface Evaluator {
  /** Rows x [N,...row] through the network with these weights: logits [N,outputs], output as `infer` has it. */
  run(weights: Weights, x: Float32Array | Int32Array): Promise<{ logits: Float32Array; output: Float32Array }>;
  close(): Promise<void>;
}

/** Any ONNX file loaded into an engine. */
export interface LoadedGraph {
  /** Runs it: inputs by name, all outputs by name. */
  run(inputs: readonly Tensor[]): Promise<ReadonlyMap<string, Tensor>>;
  close(): Promise<void>;
}

/** What opening an engine needs; `threads` is part of the RunSpec because it can change the bytes. */
export interface EngineOptions {
  readonly threads: number;
}

/** Runs graphs on one kind of device. */
export interface Engine {
  readonly name: EngineName;
  /** For people: what it runs on. */
  readonly device: string;
  /** What `compileTraining` must make for it. */
  readonly loop: TrainingProgram['loop'];
  readonly target: Target;
  /** Takes a state, which is left as it was; trainers of this engine go on from it, several of them too. */
  hold(state: State): Promise<HeldState>;
  trainer(program: TrainingProgram): Promise<Trainer>;
  evaluator(program: EvaluationProgram): Promise<Evaluator>;
  graph(model: Uint8Array): Promise<LoadedGraph>;
}

/** What an engine cannot do or was wrongly given; the message says what to change. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
}
