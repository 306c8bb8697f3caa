/**
 * The door @anneal/trainer/zoo: how large a network is, before anything is trained. Counted on the very graph that
 * would be trained, so that no formula can disagree with it. Knows no engine and no data.
 */
import type { Architecture } from '../contract/run-spec.ts';
import { GraphBuilder, type Operation, type Value } from '../ir/builder.ts';
import { GraphError } from '../ir/errors.ts';
import { sizeOf, staticShape } from '../ir/shapes.ts';
import { outputWidth, zoo } from './index.ts';
import { type NetworkInput, rowShape, rowType } from './network.ts';

export { GraphError, type NetworkInput, outputWidth };

/** Size of a network. */
export interface NetworkSize {
  /** Trained numbers. */
  readonly parameterCount: number;
  /** Numbers of state that are not trained, such as running means. */
  readonly bufferCount: number;
  /**
   * Operations of a forward pass over one row (tokens: of the greatest length): matrix products and convolutions, a
   * multiplication with its addition counted as two, as papers do. The rest is a few percent.
   */
  readonly flops: number;
}

/** How large the network would be. @throws GraphError where the architecture does not read such rows */
export function networkSize(architecture: Architecture, input: NetworkInput, outputs: number): NetworkSize {
  const { parameters, parameterCount, buffers, bufferCount, forward } = zoo(architecture, { input, outputs });
  const g = new GraphBuilder('size');
  const inputsOf = (tensors: readonly { name: string; shape: readonly number[] }[]) =>
    tensors.map(({ name, shape }) => g.input(name, 'FLOAT', shape));
  const x = g.input('x', rowType(input), [1, ...rowShape(input)]);
  forward(x, inputsOf(parameters), inputsOf(buffers), { kind: 'INFERENCE' });
  return { parameterCount, bufferCount, flops: g.operations.reduce((sum, node) => sum + flopsOf(node), 0) };
}

/** Each element of these outputs is a sum of so many products. */
function flopsOf({ type, inputs, outputs }: Operation): number {
  const [a, b] = inputs;
  const [y] = outputs;
  if (!a || !b || !y) return 0;
  if (type === 'MatMul') return 2 * sizeOfValue(y) * (lengths(a).at(-1) ?? 1);
  if (type === 'Gemm') return 2 * sizeOfValue(y) * (sizeOfValue(a) / (lengths(y)[0] ?? 1));
  if (type === 'Conv') return 2 * sizeOfValue(y) * (sizeOfValue(b) / (lengths(b)[0] ?? 1));
  return 0;
}

const sizeOfValue = (value: Value) => sizeOf(lengths(value));

function lengths({ name, shape }: Value): readonly number[] {
  const known = staticShape(shape);
  if (known) return known;
  throw new GraphError(`size: "${name}" [${shape}] has an axis of unknown length`);
}
