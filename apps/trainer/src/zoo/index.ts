/**
 * The zoo: architecture key -> network. A new architecture is a key of the contract, a file here and a row in the
 * table.
 */
import type { Architecture, Task } from '../contract/run-spec.ts';
import { mlp } from './mlp.ts';
import type { Network } from './network.ts';

export type { Network, Parameter } from './network.ts';

/** The network of an architecture for so many features and logits. */
export function zoo(architecture: Architecture, size: { inputs: number; outputs: number }): Network {
  return mlp(architecture.mlp, size);
}

/** Logits per row: one for BINARY (of class index 1) and REGRESSION, else one per class. */
export function outputWidth(task: Task, classes: number | null): number {
  if (task !== 'MULTICLASS') return 1;
  if (classes === null) throw new RangeError('outputWidth: MULTICLASS needs the number of classes');
  return classes;
}
