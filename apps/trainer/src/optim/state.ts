/** Everything that training changes, as plain arrays: a checkpoint is these. */
import type { Network, Weights } from '../zoo/network.ts';
import type { Slot } from './optimizer.ts';

/** Parameters, what the optimiser remembers, and the network's buffers; what is not used is empty. */
export interface State extends Readonly<Record<'params' | 'buffers' | Slot, Float32Array>> {
  /** Updates done so far. */
  readonly step: number;
}

/** The state before the first step. */
export function initialState(
  program: { readonly slots: readonly Slot[]; readonly network: Network },
  params: Float32Array,
): State {
  const slot = (name: Slot) => new Float32Array(program.slots.includes(name) ? params.length : 0);
  const ema = program.slots.includes('ema') ? params.slice() : slot('ema');
  return { params, m: slot('m'), v: slot('v'), ema, buffers: program.network.initialBuffers(), step: 0 };
}

/** What validation and the artifact use: the averaged parameters where an average is kept. */
export function weightsOf({ params, ema, buffers }: State): Weights {
  return { params: ema.length > 0 ? ema : params, buffers };
}
