/** Images and sequences of another size. */
import type { Value } from '../builder.ts';
import { expectLength, expectType, int64s, ints, only, REAL, refuse, text } from './check.ts';

/**
 * How numbers between pixels are found. nearest: the pixel at floor(i in/out), as PyTorch has it; linear: between the
 * two around the place, pixels counted from their middles.
 */
export type ResizeMode = 'nearest' | 'linear';

/** x [N,C,...] with its axes behind the channels resized to these lengths. */
export function Resize(x: Value, sizes: readonly number[], mode: ResizeMode): Value {
  expectType('Resize', 0, x, REAL);
  if (sizes.length === 0 || sizes.length !== x.shape.length - 2)
    refuse('Resize', 0, x, `[N,C] and ${sizes.length} axes`);
  for (const axis of sizes.keys()) expectLength('Resize', 0, x, axis + 2);
  return only(
    x.graph.emit({
      type: 'Resize',
      inputs: [x, null, null, int64s(x, sizes)],
      outputs: [{ type: x.type, shape: [...x.shape.slice(0, 2), ...sizes] }],
      attributes: {
        axes: ints(sizes.map((_, axis) => axis + 2)),
        mode: text(mode),
        coordinate_transformation_mode: text(mode === 'nearest' ? 'asymmetric' : 'half_pixel'),
        nearest_mode: text('floor'),
      },
    }),
  );
}
