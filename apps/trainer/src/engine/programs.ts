/**
 * Programs over any runtime's session: how state, chunks and rows become tensors and come back. Knows no runtime.
 */
import type { TrainingProgram } from '../autodiff/compile.ts';
import type { State } from '../optim/state.ts';
import type { EvaluationProgram } from '../zoo/inference.ts';
import type { Network, Weights } from '../zoo/network.ts';
import { expectRows, expectState, expectWeights, learningRatesOf, stepsOf } from './chunk.ts';
import { type Chunk, EngineError, type Evaluator, type HeldState, type LoadedGraph, type Trainer } from './engine.ts';
import { type Feeds, float32, floatsOf, fromHost, numbers, type Outputs, type Session, toHost } from './session.ts';

/** A state held in arrays of this process. */
export class HostState implements HeldState {
  state: State;

  constructor(state: State) {
    this.state = state;
  }

  /** The same, known to be of this kind. @throws EngineError for a state that another engine holds */
  static of(held: HeldState): HostState {
    if (held instanceof HostState) return held;
    throw new EngineError('the state is held by another engine; read() it there and hold() it here');
  }

  async read(): Promise<State> {
    return this.state;
  }

  async close(): Promise<void> {}
}

/** Trains by K steps per run, the state going in and out. */
export function trainerOver(session: Session, program: TrainingProgram): Trainer {
  const run: Trainer['run'] = async (state, chunk) => {
    expectState(program, state);
    const steps = stepsOf(program, chunk);
    const outputs = await session.run({ ...stateFeeds(program, state), ...chunkFeeds(program, chunk, steps) });
    return { state: stateOf(program, outputs, state, steps), losses: floatsOf(outputs, 'losses') };
  };
  return {
    run,
    async step(held, chunk) {
      const host = HostState.of(held);
      const { state, losses } = await run(host.state, chunk);
      host.state = state;
      return losses;
    },
    close: () => session.close(),
  };
}

/** The state's vectors by the names that the program's inputs have; its outputs add a prime. */
export function vectorsOf({ network, slots }: TrainingProgram): readonly Exclude<keyof State, 'step'>[] {
  return ['params', ...slots, ...(network.bufferCount > 0 ? (['buffers'] as const) : [])];
}

/** The state as inputs of a training program. */
export function stateFeeds(program: TrainingProgram, state: State): Feeds {
  const vectors = vectorsOf(program).map((name) => [name, float32(state[name], [state[name].length])]);
  return { ...Object.fromEntries(vectors), step: numbers(Int32Array.of(state.step), [1]) };
}

/** The state that a training program answered. */
export function stateOf(program: TrainingProgram, outputs: Outputs, before: State, steps: number): State {
  const vectors = vectorsOf(program).map((name) => [name, floatsOf(outputs, `${name}'`)]);
  return { ...before, ...Object.fromEntries(vectors), step: before.step + steps };
}

/** The chunk as inputs of a training program that runs K steps per call. */
function chunkFeeds({ batchSize, row }: TrainingProgram, chunk: Chunk, steps: number): Feeds {
  return {
    x: numbers(chunk.x, [steps, batchSize, ...row]),
    y: numbers(chunk.y, [steps, batchSize]),
    weight: float32(chunk.weight, [steps, batchSize]),
    learningRate: float32(learningRatesOf(chunk, steps), [steps]),
  };
}

/** One step of a chunk as inputs of a training program that runs a single step per call. */
export function stepFeeds({ batchSize, row }: TrainingProgram, chunk: Chunk, step: number): Feeds {
  const rowSize = chunk.x.length / chunk.weight.length;
  const [from, to] = [step * batchSize, (step + 1) * batchSize];
  const rate = typeof chunk.learningRate === 'number' ? chunk.learningRate : (chunk.learningRate[step] ?? Number.NaN);
  return {
    x: numbers(chunk.x.subarray(from * rowSize, to * rowSize), [batchSize, ...row]),
    y: numbers(chunk.y.subarray(from, to), [batchSize]),
    weight: float32(chunk.weight.subarray(from, to), [batchSize]),
    learningRate: float32(Float32Array.of(rate), []),
  };
}

/** The weights as inputs of an evaluation program. */
export function weightFeeds(network: Network, { params, buffers }: Weights): Feeds {
  const vectors: Feeds = { params: float32(params, [params.length]) };
  return network.bufferCount > 0 ? { ...vectors, buffers: float32(buffers, [buffers.length]) } : vectors;
}

/**
 * Rows per evaluation call. It depends on nothing but the network, because the kernels' rounding may depend on the
 * number of rows; layers of tensors and tokens take a thousand times the memory of a row.
 */
function rowsPerCall({ input }: Network): number {
  return input.kind === 'FEATURES' ? 4096 : 256;
}

/** Asks a network in parts of constant size. */
export function evaluatorOver(session: Session, program: EvaluationProgram): Evaluator {
  const { network } = program;
  return {
    async run(weights, x) {
      expectWeights('', network, weights);
      const rows = expectRows(program, x);
      const fixed = weightFeeds(network, weights);
      const size = rowsPerCall(network);
      const width = x.length / rows;
      const parts: { logits: Float32Array; output: Float32Array }[] = [];
      for (let start = 0; start < rows; start += size) {
        const count = Math.min(size, rows - start);
        const part = x.subarray(start * width, (start + count) * width);
        const outputs = await session.run({ ...fixed, x: numbers(part, [count, ...program.row]) });
        parts.push({ logits: floatsOf(outputs, 'logits'), output: floatsOf(outputs, 'output') });
      }
      return { logits: join(parts.map((part) => part.logits)), output: join(parts.map((part) => part.output)) };
    },
    close: () => session.close(),
  };
}

/** Any file, tensors of the IR in and out. */
export function graphOver(session: Session): LoadedGraph {
  return {
    async run(inputs) {
      const outputs = await session.run(Object.fromEntries(inputs.map((tensor) => [tensor.name, toHost(tensor)])));
      return new Map(Object.entries(outputs).map(([name, tensor]) => [name, fromHost(name, tensor)]));
    },
    close: () => session.close(),
  };
}

function join(parts: readonly Float32Array[]): Float32Array {
  const joined = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
