/** Everything that training changes, as plain arrays: a checkpoint is these four. */
import type { Slot } from './optimizer.ts';

/** Parameters and what the optimiser remembers; m and v are empty where it does not use them. */
export interface State {
  readonly params: Float32Array;
  readonly m: Float32Array;
  readonly v: Float32Array;
  /** Updates done so far. */
  readonly step: number;
}

/** The state before the first step. */
export function initialState(program: { readonly slots: readonly Slot[] }, params: Float32Array): State {
  const slot = (name: Slot) => new Float32Array(program.slots.includes(name) ? params.length : 0);
  return { params, m: slot('m'), v: slot('v'), step: 0 };
}
