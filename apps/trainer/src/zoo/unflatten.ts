/** The flat vector of all parameters as one value per parameter. */
import type { Value } from '../ir/builder.ts';
import * as op from '../ir/ops.ts';
import { type Network, parameterSize } from './network.ts';

/** One Split and a Reshape per parameter; differentiating it gives one Concat, which is the flat gradient. */
export function unflatten(flat: Value, { parameters }: Network): Value[] {
  const parts = op.Split(flat, parameters.map(parameterSize), 0);
  return parts.map((part, index) => {
    const shape = parameters[index]?.shape ?? part.shape;
    return shape.length === 1 ? part : op.Reshape(part, shape);
  });
}
