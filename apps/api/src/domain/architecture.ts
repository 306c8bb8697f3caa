/**
 * From a network as it is asked for (one entry of the zoo, some of its hyperparameters) to one that says everything,
 * with the reason of each default; and how large that is. Pure.
 */
import {
  ARCHITECTURES,
  type Architecture,
  type ArchitectureName,
  Cnn,
  HYPERPARAMETERS,
  type Hyperparameters,
  Inception,
  Mlp,
  ResNet,
  type RunSpec,
  Transformer,
} from '@anneal/trainer/contract';
import { GraphError, type NetworkInput, type NetworkSize, networkSize } from '@anneal/trainer/zoo';
import { z } from 'zod';
import { UserError } from '../errors.ts';

/** Every field may be left out. */
function partly<Shape extends z.ZodRawShape>(shape: Shape) {
  type Partly = { [name in keyof Shape]: z.ZodOptional<z.ZodNullable<Shape[name]>> };
  const fields = Object.entries(shape).map(([name, schema]) => [name, z.nullish(schema)]);
  return z.strictObject(Object.fromEntries(fields) as Partly); // fromEntries forgets which name has which type
}

/** What a caller may say of a network: one entry of the zoo with any of its hyperparameters. */
export const ArchitectureInput = z
  .strictObject({
    mlp: partly(Mlp.shape).nullish(),
    cnn: partly(Cnn.shape).nullish(),
    resnet: partly(ResNet.shape).nullish(),
    inception: partly(Inception.shape).nullish(),
    transformer: partly(Transformer.shape).nullish(),
  } satisfies Record<ArchitectureName, z.ZodType>)
  .refine((input) => ARCHITECTURES.filter((name) => input[name] != null).length === 1, {
    error: `expected exactly one of ${ARCHITECTURES.join(', ')}`,
  });
export type ArchitectureInput = z.output<typeof ArchitectureInput>;

/** The complete architecture: the one that is asked for, or the usual one for such rows. @throws UserError */
export function completeArchitecture(
  input: ArchitectureInput | null | undefined,
  rows: { input: NetworkInput; hidden: number[] },
): Architecture {
  const usual = usualFor(rows);
  const asked = input ?? { [entryFor(rows.input)]: {} };
  if (asked.mlp) return { mlp: complete('mlp', usual.mlp, asked.mlp) };
  if (asked.cnn) return { cnn: complete('cnn', usual.cnn, asked.cnn) };
  if (asked.resnet) return { resnet: complete('resnet', usual.resnet, asked.resnet) };
  if (asked.inception) return { inception: complete('inception', usual.inception, asked.inception) };
  return { transformer: complete('transformer', usual.transformer, asked.transformer ?? {}) };
}

/** Images of at least 8x8 have neighbourhoods to learn from, sequences have an order. */
function entryFor(input: NetworkInput): ArchitectureName {
  if (input.kind === 'TOKENS') return 'transformer';
  if (input.kind === 'FEATURES') return 'mlp';
  const [, height = 0, width = 0, ...more] = input.shape;
  return input.shape.length === 3 && more.length === 0 && Math.min(height, width) >= 8 ? 'cnn' : 'mlp';
}

/** Hyperparameters that train within minutes on two cores and reach what bench/accuracy.ts holds them to. */
function usualFor({ input, hidden }: { input: NetworkInput; hidden: number[] }): Hyperparameters {
  const [, height = 8, width = 8] = input.kind === 'TENSOR' ? input.shape : [];
  // From 32 pixels on, two stages would leave the dense layer more weights than all the rest.
  const channels = Math.min(height, width) >= 32 ? [32, 64, 128] : [32, 64];
  return {
    mlp: { hidden: input.kind === 'TENSOR' ? [128] : hidden },
    cnn: { channels, kernel: 3, hidden: [128], dropout: 0.4 },
    // ResNet-14 of the paper's CIFAR family (section 4.2): 16, 32, 64 channels.
    resnet: { block: 'BASIC', depths: [2, 2, 2], width: 16 },
    // The first four blocks at a quarter of the width: small images have no detail for more.
    inception: { depths: [2, 2], width: 0.25, dropout: 0.2 },
    transformer: {
      layers: 2,
      width: 64,
      heads: 4,
      feedForward: 256,
      dropout: 0.1,
      positions: 'LEARNED',
      norm: 'PRE', // trains without warm-up, which POST does not
      pooling: 'MEAN', // every token has a gradient from the first step
    },
  };
}

/** How a network is trained when nothing else is said. */
export interface UsualTraining {
  learningRate: number;
  batchSize: number;
  maxEpochs: number;
  /** null where a schedule counts on the last epoch. */
  patience: number | null;
  threads: number;
  schedule?: NonNullable<RunSpec['schedule']>;
}

/**
 * Measured on digits, MNIST and a task of token order. Two threads: convolutions and attention use a second core 1.4 to
 * 1.7 times as well, and the bytes are the same as with one. Smaller batches for the transformer: it wants steps sooner
 * than exact gradients. Running statistics lag behind a constant rate, so that validation jumps by percents from epoch
 * to epoch; behind a cosine they settle. null: what a table of so many rows usually needs.
 */
export function usualTraining(architecture: Architecture): UsualTraining | null {
  if ('mlp' in architecture) return null;
  if ('cnn' in architecture) return { learningRate: 1e-3, batchSize: 64, maxEpochs: 30, patience: 6, threads: 2 };
  if ('transformer' in architecture)
    return { learningRate: 1e-3, batchSize: 32, maxEpochs: 50, patience: 10, threads: 2 };
  const schedule = { warmupSteps: 0, decay: { kind: 'COSINE', floor: 0 } } as const;
  return { learningRate: 3e-3, batchSize: 64, maxEpochs: 8, patience: null, threads: 2, schedule };
}

/** What is given over what is usual. @throws UserError where they do not fit each other */
function complete<N extends ArchitectureName>(
  name: N,
  usual: Hyperparameters[N],
  given: { [field in keyof Hyperparameters[N]]?: Hyperparameters[N][field] | null | undefined },
): Hyperparameters[N] {
  const said = Object.fromEntries(Object.entries(given).filter(([, value]) => value != null));
  const all = { ...usual, ...said };
  const { error } = HYPERPARAMETERS[name].safeParse(all);
  const [issue] = error?.issues ?? [];
  if (issue) throw new UserError('INVALID_INPUT', issue.message, ['architecture', name, ...issue.path.map(String)]);
  return all;
}

/** What the edge can hold beside its runtime. */
const MAX_BYTES = 24 * 2 ** 20;

/** How large the network is. @throws UserError where it does not read such rows, or is too large for the edge */
export function sizeForEdge(architecture: Architecture, input: NetworkInput, outputs: number): NetworkSize {
  const size = sizeOf(architecture, input, outputs);
  const bytes = 4 * (size.parameterCount + size.bufferCount);
  if (bytes <= MAX_BYTES) return size;
  const read = input.kind === 'FEATURES' ? ` (${input.width} inputs after one-hot)` : '';
  throw new UserError(
    'MODEL_TOO_LARGE',
    `The network has ${size.parameterCount.toLocaleString('en')} parameters${read}, ` +
      `${(bytes / 2 ** 20).toFixed(1)} MiB; the edge takes 24 MiB. Choose fewer or narrower layers.`,
    ['architecture'],
  );
}

/** Trials of a search differ in their learning rates sooner than in their networks; counting takes milliseconds. */
const SIZES = new Map<string, NetworkSize>();
const MOST_SIZES = 200;

function sizeOf(architecture: Architecture, input: NetworkInput, outputs: number): NetworkSize {
  const key = JSON.stringify([architecture, input, outputs]);
  const known = SIZES.get(key);
  if (known) return known;
  try {
    const size = networkSize(architecture, input, outputs);
    if (SIZES.size >= MOST_SIZES) SIZES.clear();
    SIZES.set(key, size);
    return size;
  } catch (error) {
    if (error instanceof GraphError) throw new UserError('ARCHITECTURE_MISMATCH', error.message, ['architecture']);
    throw error;
  }
}
