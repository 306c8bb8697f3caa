/**
 * Gradients of whole fragments: where several nodes together have a shorter derivative than one by one, the fragment's
 * author writes it down. What stands in the file stays standard operations.
 */
import type { Operation, Value } from '../ir/builder.ts';

/** From the gradient by a fragment's output, one gradient per input. */
type Derivative = (dy: Value) => readonly (Value | null)[];

const FRAGMENTS = new WeakMap<Value, { readonly inputs: readonly Value[]; readonly derivative: Derivative }>();

/** Declares that the gradient by `y` goes straight to `inputs`, past the nodes between them. Answers `y`. */
export function withGradient(y: Value, inputs: readonly Value[], derivative: Derivative): Value {
  FRAGMENTS.set(y, { inputs, derivative });
  return y;
}

/** The gradients by the inputs of the fragment that ends in this node, if one does. */
export function customGradient(
  { outputs }: Operation,
  [dy]: readonly (Value | null)[],
): { inputs: readonly Value[]; dx: readonly (Value | null)[] } | null {
  const fragment = outputs[0] && FRAGMENTS.get(outputs[0]);
  return fragment && dy ? { inputs: fragment.inputs, dx: fragment.derivative(dy) } : null;
}
