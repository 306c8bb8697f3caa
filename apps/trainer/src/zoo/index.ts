/**
 * The zoo: architecture key -> network. A new architecture is a key of the contract, a file here and a row in the
 * table.
 */

import type { Task } from '../contract/run-spec.ts';
import { ARCHITECTURES, type Architecture, type ArchitectureName, type Hyperparameters } from '../contract/run-spec.ts';
import { GraphError } from '../ir/errors.ts';
import { cnn } from './cnn.ts';
import { inception } from './inception.ts';
import { mlp } from './mlp.ts';
import type { Sizes } from './module.ts';
import type { Network } from './network.ts';
import { resnet } from './resnet.ts';
import { transformer } from './transformer.ts';

export type { Network, NetworkInput, Parameter, Weights } from './network.ts';

type Zoo = { readonly [name in ArchitectureName]: (hyperparameters: Hyperparameters[name], sizes: Sizes) => Network };

const ZOO: Zoo = { mlp, cnn, resnet, inception, transformer };

/** The network of an architecture for such rows and so many logits. @throws GraphError where it does not read them */
export function zoo(architecture: Architecture, sizes: Sizes): Network {
  for (const name of ARCHITECTURES) {
    const network = built(name, architecture, sizes);
    if (network) return network;
  }
  throw new GraphError(`zoo: expected one of ${ARCHITECTURES.join(', ')}; got ${Object.keys(architecture).join(', ')}`);
}

function built<N extends ArchitectureName>(name: N, all: Partial<Hyperparameters>, sizes: Sizes): Network | undefined {
  const hyperparameters = all[name];
  return hyperparameters && ZOO[name](hyperparameters, sizes);
}

/** Logits per row: one for BINARY (of class index 1) and REGRESSION, else one per class. */
export function outputWidth(task: Task, classes: number | null): number {
  if (task !== 'MULTICLASS') return 1;
  if (classes === null) throw new RangeError('outputWidth: MULTICLASS needs the number of classes');
  return classes;
}
