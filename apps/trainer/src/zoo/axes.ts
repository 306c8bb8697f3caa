/** Lengths that layers need to know while they build. */
import type { Value } from '../ir/builder.ts';
import { GraphError } from '../ir/errors.ts';

/** Length of an axis. @throws GraphError where it has only a name */
export function axisOf(x: Value, axis: number): number {
  const length = x.shape.at(axis);
  if (typeof length === 'number') return length;
  throw new GraphError(`"${x.name}" [${x.shape}]: expected a known length along axis ${axis}`);
}

/** Length of the last axis. */
export function lastAxis(x: Value): number {
  return axisOf(x, -1);
}
