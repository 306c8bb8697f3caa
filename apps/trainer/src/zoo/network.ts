/**
 * What an architecture is once its sizes are known: parameters in one flat vector, state that is not trained in
 * another, and a forward graph over both. Knows no data and no engine.
 */
import type { Architecture } from '../contract/run-spec.ts';
import type { Value } from '../ir/builder.ts';
import { GraphError } from '../ir/errors.ts';
import { sizeOf } from '../ir/shapes.ts';
import type { Random } from '../random.ts';

/** One parameter tensor; the flat vector holds them one behind the other in this order. */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  /** Whether weight decay applies. */
  readonly decays: boolean;
  /** One initial value; drawn in row-major order. */
  readonly draw: (random: Random) => number;
}

/** State that training changes but no gradient does, such as running means: flat, like the parameters. */
export interface Buffer {
  readonly name: string;
  readonly shape: readonly number[];
  /** What all of its elements are before the first step. */
  readonly initial: number;
}

/** One row of x. FEATURES: FLOAT [width]; TENSOR: FLOAT of a shape; TOKENS: INT32 [T], 0 = padding. */
export type NetworkInput =
  | { readonly kind: 'FEATURES'; readonly width: number }
  | { readonly kind: 'TENSOR'; readonly shape: readonly number[] }
  | { readonly kind: 'TOKENS'; readonly vocabulary: number; readonly maxLength: number };

/** What a forward graph is for. Batch statistics, dropout and the like exist in training only. */
export type Mode =
  | { readonly kind: 'INFERENCE' }
  | {
      readonly kind: 'TRAINING';
      /** INT32 scalar, another one each step. */
      readonly seed: Value;
      /** FLOAT [B], 0 for padding: such rows must not enter batch statistics. */
      readonly weight: Value;
    };

/** A network's answer, and its buffers after this batch (as they were, in inference). */
export interface Forward {
  /** FLOAT [B,outputs] */
  readonly logits: Value;
  readonly buffers: readonly Value[];
}

/** Everything that a trained network is. */
export interface Weights {
  readonly params: Float32Array;
  readonly buffers: Float32Array;
}

/** A network of known size. */
export interface Network {
  readonly architecture: Architecture;
  readonly input: NetworkInput;
  /** Logits (or values) per row. */
  readonly outputs: number;
  readonly parameters: readonly Parameter[];
  readonly parameterCount: number;
  readonly buffers: readonly Buffer[];
  readonly bufferCount: number;
  /** Initial parameters as one flat vector. */
  initialise(random: Random): Float32Array<ArrayBuffer>;
  /** Initial buffers as one flat vector. */
  initialBuffers(): Float32Array<ArrayBuffer>;
  /** Rows x [B,...row], one value per parameter and one per buffer. */
  forward(x: Value, parameters: readonly Value[], buffers: readonly Value[], mode: Mode): Forward;
}

/** Elements of a parameter or buffer. */
export function parameterSize({ shape }: { readonly shape: readonly number[] }): number {
  return sizeOf(shape);
}

/** Shape of one row of x; TOKENS are padded to `length`, if given. */
export function rowShape(input: NetworkInput, length?: number): readonly number[] {
  if (input.kind !== 'TOKENS') return input.kind === 'FEATURES' ? [input.width] : input.shape;
  const padded = length ?? input.maxLength;
  if (!Number.isInteger(padded) || padded < 1 || padded > input.maxLength)
    throw new GraphError(`tokens: the padded length must be in 1..${input.maxLength}; it is ${padded}`);
  return [padded];
}

/** Element type of x. */
export function rowType(input: NetworkInput): 'FLOAT' | 'INT32' {
  return input.kind === 'TOKENS' ? 'INT32' : 'FLOAT';
}

/** What an architecture's file says of a network; the rest follows. */
export type NetworkParts = Pick<Network, 'architecture' | 'input' | 'outputs' | 'parameters' | 'forward'> & {
  readonly buffers?: readonly Buffer[];
};

/** The parts of every network that follow from its parameters and buffers. */
export function networkOf({ buffers = [], ...parts }: NetworkParts): Network {
  const { parameters } = parts;
  const parameterCount = countOf(parameters);
  return {
    ...parts,
    buffers,
    parameterCount,
    bufferCount: countOf(buffers),
    initialise(random) {
      const flat = new Float32Array(parameterCount);
      let at = 0;
      for (const parameter of parameters)
        for (const end = at + parameterSize(parameter); at < end; at++) flat[at] = parameter.draw(random);
      return flat;
    },
    initialBuffers() {
      const parts = buffers.map((buffer) => new Array<number>(parameterSize(buffer)).fill(buffer.initial));
      return Float32Array.from(parts.flat());
    },
  };
}

function countOf(tensors: readonly { readonly shape: readonly number[] }[]): number {
  return tensors.reduce((sum, tensor) => sum + parameterSize(tensor), 0);
}
