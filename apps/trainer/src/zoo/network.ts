/** What an architecture is once its sizes are known: parameters in one flat vector, and a forward graph over them. */
import type { Architecture } from '../contract/run-spec.ts';
import type { Value } from '../ir/builder.ts';
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

/** A network of known size. */
export interface Network {
  readonly architecture: Architecture;
  /** Features per row. */
  readonly inputs: number;
  /** Logits (or values) per row. */
  readonly outputs: number;
  readonly parameters: readonly Parameter[];
  readonly parameterCount: number;
  /** Initial parameters as one flat vector. */
  initialise(random: Random): Float32Array<ArrayBuffer>;
  /** Features [N,inputs] and one value per parameter to logits [N,outputs]. */
  forward(x: Value, parameters: readonly Value[]): Value;
}

/** Elements of a parameter. */
export function parameterSize({ shape }: Parameter): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

/** The parts of every network that follow from its parameters. */
export function networkOf(parts: Omit<Network, 'parameterCount' | 'initialise'>): Network {
  const parameterCount = parts.parameters.reduce((sum, parameter) => sum + parameterSize(parameter), 0);
  return {
    ...parts,
    parameterCount,
    initialise(random) {
      const flat = new Float32Array(parameterCount);
      let at = 0;
      for (const parameter of parts.parameters)
        for (const end = at + parameterSize(parameter); at < end; at++) flat[at] = parameter.draw(random);
      return flat;
    },
  };
}
