/** Tiny instances of every architecture, for tests of what all have in common. */
import type { Architecture, ArchitectureName, Hyperparameters } from '../contract/run-spec.ts';
import { sizeOf } from '../ir/shapes.ts';
import { Random } from '../random.ts';
import { type NetworkInput, rowShape } from './network.ts';

/** A network that trains in milliseconds, with what it reads. */
export interface Tiny {
  readonly architecture: Architecture;
  readonly input: NetworkInput;
}

const IMAGE: NetworkInput = { kind: 'TENSOR', shape: [2, 6, 6] };
const TOKENS: NetworkInput = { kind: 'TOKENS', vocabulary: 7, maxLength: 5 };

/** A small transformer with these fields put over it. */
export function tinyTransformer(fields: Partial<Hyperparameters['transformer']> = {}): Tiny {
  const shape = { layers: 1, width: 8, heads: 2, feedForward: 8, dropout: 0 };
  const kinds = { positions: 'LEARNED', norm: 'PRE', pooling: 'MEAN' } as const;
  return { architecture: { transformer: { ...shape, ...kinds, ...fields } }, input: TOKENS };
}

/** One or more of each entry of the zoo, without dropout. */
export const TINY: Readonly<Record<ArchitectureName, Readonly<Record<string, Tiny>>>> = {
  mlp: {
    'of features': { architecture: { mlp: { hidden: [5] } }, input: { kind: 'FEATURES', width: 4 } },
    'of a tensor': { architecture: { mlp: { hidden: [5] } }, input: { kind: 'TENSOR', shape: [2, 2, 2] } },
    'of a bag of tokens': { architecture: { mlp: { hidden: [5] } }, input: TOKENS },
  },
  cnn: {
    'of two stages': { architecture: { cnn: { channels: [3, 4], kernel: 3, hidden: [5], dropout: 0 } }, input: IMAGE },
  },
  resnet: {
    'of basic blocks': { architecture: { resnet: { block: 'BASIC', depths: [1, 1], width: 2 } }, input: IMAGE },
    'of bottlenecks': { architecture: { resnet: { block: 'BOTTLENECK', depths: [1, 1], width: 1 } }, input: IMAGE },
  },
  inception: {
    'of two stages': { architecture: { inception: { depths: [1, 1], width: 0.03125, dropout: 0 } }, input: IMAGE },
  },
  transformer: {
    'PRE, LEARNED, MEAN': tinyTransformer(),
    'POST, LEARNED, CLS': tinyTransformer({ norm: 'POST', pooling: 'CLS' }),
    'PRE, ROTARY, CLS': tinyTransformer({ positions: 'ROTARY', pooling: 'CLS' }),
    'POST, ROTARY, MEAN': tinyTransformer({ norm: 'POST', positions: 'ROTARY' }),
  },
};

/** Every tiny network under a name, as test.each takes them. */
export const ALL_TINY: readonly (readonly [string, Tiny])[] = Object.entries(TINY).flatMap(([name, variants]) =>
  Object.entries(variants).map(([variant, tiny]) => [`${name} ${variant}`, tiny] as const),
);

/** Random rows for a network: normal numbers, or sequences of 1 to all tokens, padded. */
export function rowsFor(input: NetworkInput, rows: number, seed = 1): Float32Array | Int32Array {
  const random = Random.from(seed, 'rows');
  const width = sizeOf(rowShape(input));
  if (input.kind !== 'TOKENS') return Float32Array.from({ length: rows * width }, () => random.normal());
  const lengths = Array.from({ length: rows }, (_, row) => (row === 0 ? width : 1 + random.int(width)));
  return Int32Array.from({ length: rows * width }, (_, at) =>
    at % width < (lengths[Math.floor(at / width)] ?? 0) ? 1 + random.int(input.vocabulary - 1) : 0,
  );
}
