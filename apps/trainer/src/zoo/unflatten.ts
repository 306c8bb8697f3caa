/** A flat vector of tensors as one value per tensor, and back. */
import type { Value } from '../ir/builder.ts';
import * as op from '../ir/ops.ts';
import { parameterSize } from './network.ts';

type Shaped = { readonly shape: readonly number[] };

/** Values that one kernel may read and write on any GPU are eight, of which a Split reads one. */
const GPU_PARTS = 7;

/**
 * One Split and a Reshape per tensor; differentiating it gives one Concat, which is the flat gradient. For a GPU, a
 * tree of small Splits.
 */
export function unflatten(flat: Value, tensors: readonly Shaped[], { gpu = false } = {}): Value[] {
  const parts = split(flat, tensors.map(parameterSize), gpu ? GPU_PARTS : Number.POSITIVE_INFINITY);
  return parts.map((part, index) => {
    const shape = tensors[index]?.shape ?? part.shape;
    return shape.length === 1 ? part : op.Reshape(part, shape);
  });
}

function split(flat: Value, sizes: readonly number[], most: number): readonly Value[] {
  if (sizes.length <= most) return op.Split(flat, sizes, 0);
  const each = Math.ceil(sizes.length / most);
  const groups = Array.from({ length: Math.ceil(sizes.length / each) }, (_, i) =>
    sizes.slice(i * each, (i + 1) * each),
  );
  const wholes = op.Split(
    flat,
    groups.map((group) => group.reduce((sum, size) => sum + size, 0)),
    0,
  );
  return wholes.flatMap((whole, i) => split(whole, groups[i] ?? [], most));
}

/** The values one behind the other in one vector. */
export function flatten(values: readonly Value[], tensors: readonly Shaped[]): Value {
  const flat = values.map((value, index) => {
    const size = parameterSize(tensors[index] ?? { shape: [] });
    return value.shape.length === 1 ? value : op.Reshape(value, [size]);
  });
  const [first] = flat;
  return first && flat.length === 1 ? first : op.Concat(flat, 0);
}
