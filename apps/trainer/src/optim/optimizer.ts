/**
 * What an optimiser is to the compiled step: a graph fragment over ONE flat vector of all parameters. Twelve nodes
 * update any network, where one update per tensor would be twelve nodes per tensor (measured: 779 -> 300 kernels for
 * a small Transformer).
 */
import type { Optimizer } from '../contract/run-spec.ts';
import type { Value } from '../ir/builder.ts';
import { adam, adamw } from './adamw.ts';
import { lion } from './lion.ts';
import { sgd } from './sgd.ts';

/** Vectors that are kept beside the parameters: first and second moment, and the moving average of the parameters. */
export type Slot = 'm' | 'v' | 'ema';

/** What one update sees; all vectors have the shape [P]. */
export interface UpdateInput {
  readonly params: Value;
  readonly gradient: Value;
  readonly slots: Readonly<Partial<Record<Slot, Value>>>;
  /** Number of this update as INT32 [1], counted from 1. */
  readonly step: Value;
  /** FLOAT scalar. */
  readonly learningRate: Value;
  /** FLOAT [P]: 1 for weights of matrices, 0 for what weight decay must leave alone; null where nothing decays. */
  readonly decayed: Value | null;
  /** INT64 [E]: where `decayed` is 0, given where they are few and a scatter is cheaper than a pass over a mask. */
  readonly exempt?: Value | null;
}

/** The parameters and slots after the update. */
export interface UpdateOutput {
  readonly params: Value;
  readonly slots: Readonly<Partial<Record<Slot, Value>>>;
}

/** An optimiser with its settings. */
export interface Update {
  readonly slots: readonly Slot[];
  readonly weightDecay: number;
  apply(input: UpdateInput): UpdateOutput;
}

/** The graph fragment for an optimiser of the RunSpec. */
export function updateOf(optimizer: Optimizer): Update {
  switch (optimizer.kind) {
    case 'SGD':
      return sgd(optimizer);
    case 'ADAM':
      return adam(optimizer);
    case 'ADAMW':
      return adamw(optimizer);
    case 'LION':
      return lion(optimizer);
  }
}
