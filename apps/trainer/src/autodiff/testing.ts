/** What checks of gradients share: the points to check at. */
import { sizeOf } from '../ir/shapes.ts';
import type { RealType } from '../ir/types.ts';
import { Random } from '../random.ts';
import type { GradientCase } from './check.ts';

/** A case in DOUBLE, unless the runtime has the operation in FLOAT only. */
export type Case = Omit<GradientCase, 'type'> & { readonly type?: RealType };

/** Total over rules: one without a check does not compile. */
export type Cases<Name extends string> = Readonly<Record<Name, readonly Case[]>>;

const random = Random.from(1, 'gradients');

/** Normal numbers that keep away from 0, where |x|, relu and max have a kink. */
export const any = (): number => {
  const x = random.normal();
  return x + Math.sign(x) * 0.1;
};

/** Numbers between 0.3 and 1.3. */
export const positive = (): number => 0.3 + random.float();

/** A permutation of numbers 0.1 apart: no two are so near that a step of the check makes them change places. */
export const distinct = (dims: readonly number[]): GradientCase['inputs'][number] => ({
  dims,
  values: Array.from(random.permutation(sizeOf(dims)), (place) => (place - sizeOf(dims) / 2) * 0.1),
});

/** An input of this shape. */
export function fill(dims: readonly number[], draw: () => number = any): GradientCase['inputs'][number] {
  return { dims, values: Array.from({ length: sizeOf(dims) }, draw) };
}
