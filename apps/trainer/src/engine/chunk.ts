/**
 * What every engine checks before it runs a chunk: a wrong length would otherwise train on shifted rows without a
 * word.
 */
import type { TrainingProgram } from '../autodiff/compile.ts';
import { sizeOf } from '../ir/shapes.ts';
import type { State } from '../optim/state.ts';
import type { EvaluationProgram } from '../zoo/inference.ts';
import type { Network, Weights } from '../zoo/network.ts';
import { type Chunk, EngineError } from './engine.ts';

/** The number of steps K in a chunk that fits the program. @throws EngineError naming the array that does not. */
export function stepsOf(program: TrainingProgram, chunk: Chunk): number {
  const { batchSize, row, xType, labelType } = program;
  const steps = chunk.weight.length / batchSize;
  if (!Number.isInteger(steps) || steps < 1)
    throw new EngineError(
      `chunk.weight has ${chunk.weight.length} values; expected a multiple of the batch size ${batchSize}`,
    );
  const rows = steps * batchSize;
  expectLength('chunk.x', chunk.x, rows * sizeOf(row));
  if (chunk.x instanceof Int32Array !== (xType === 'INT32'))
    throw new EngineError(`chunk.x is a ${chunk.x.constructor.name}; the network reads ${xType} rows`);
  expectLength('chunk.y', chunk.y, rows);
  if (chunk.y instanceof Int32Array !== (labelType === 'INT32'))
    throw new EngineError(`chunk.y is a ${chunk.y.constructor.name}; the loss takes ${labelType} labels`);
  if (typeof chunk.learningRate !== 'number') expectLength('chunk.learningRate', chunk.learningRate, steps);
  for (let step = 0; step < steps; step++)
    if (!chunk.weight.subarray(step * batchSize, (step + 1) * batchSize).some((weight) => weight > 0))
      throw new EngineError(`chunk.weight: step ${step} has no row of weight above 0, so its mean loss is undefined`);
  return steps;
}

/** The learning rate of each step. */
export function learningRatesOf({ learningRate }: Chunk, steps: number): Float32Array {
  return typeof learningRate === 'number' ? new Float32Array(steps).fill(learningRate) : learningRate;
}

/** Requires a state that belongs to the program. */
export function expectState({ network, slots }: TrainingProgram, state: State): void {
  expectWeights('state.', network, state);
  for (const slot of ['m', 'v', 'ema'] as const)
    expectLength(`state.${slot}`, state[slot], slots.includes(slot) ? network.parameterCount : 0);
}

/** Requires weights of this network. */
export function expectWeights(place: string, network: Network, weights: Weights): void {
  expectLength(`${place}params`, weights.params, network.parameterCount);
  expectLength(`${place}buffers`, weights.buffers, network.bufferCount);
}

/** The number of rows in x. @throws EngineError where it is no whole number, or x of another type */
export function expectRows({ row, xType }: EvaluationProgram, x: Float32Array | Int32Array): number {
  const rows = x.length / sizeOf(row);
  if (!Number.isInteger(rows))
    throw new EngineError(`x has ${x.length} values; expected a multiple of ${sizeOf(row)}, the size of a row`);
  if (x instanceof Int32Array !== (xType === 'INT32'))
    throw new EngineError(`x is a ${x.constructor.name}; the network reads ${xType} rows`);
  return rows;
}

/** Requires so many values. */
export function expectLength(what: string, array: Float32Array | Int32Array, length: number): void {
  if (array.length !== length) throw new EngineError(`${what} has ${array.length} values; expected ${length}`);
}
