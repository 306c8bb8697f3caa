/** RunSpec: everything that decides a run's bytes. Written by the API in the transaction that creates the run. */
import { z } from 'zod';
import { Architecture } from './architecture.ts';
import { FIT_FIELDS, Loss, Optimizer } from './optimisation.ts';

export * from './architecture.ts';
export * from './optimisation.ts';

export const Task = z.enum(['BINARY', 'MULTICLASS', 'REGRESSION']);
export type Task = z.infer<typeof Task>;

/** What validation is judged by: early stopping, best checkpoint and, for F1_MACRO, the threshold. */
export const Objective = z.enum(['ACCURACY', 'F1_MACRO', 'LOG_LOSS', 'RMSE']);
export type Objective = z.infer<typeof Objective>;

/** What computes training steps. AUTO is resolved by the trainer that claims the run. */
export const EngineChoice = z.enum(['AUTO', 'ORT_CPU', 'ORT_WEBGPU', 'ORT_CUDA', 'ORT_WASM', 'TFJS']);
export type EngineChoice = z.infer<typeof EngineChoice>;

/** A column that the network reads, in the order of the table. */
export const Feature = z.discriminatedUnion('kind', [
  z.strictObject({ name: z.string().min(1), kind: z.enum(['NUMERIC', 'CATEGORICAL']) }),
  /** Numbers of one shape; the first axis is that of channels. */
  z.strictObject({ name: z.string().min(1), kind: z.literal('TENSOR'), shape: z.array(z.int().min(1)).min(1) }),
  z.strictObject({
    name: z.string().min(1),
    kind: z.literal('TOKENS'),
    /** The largest id of the dataset version + 1. */
    vocabulary: z.int().min(1),
    maxLength: z.int().min(1),
  }),
]);
export type Feature = z.infer<typeof Feature>;

/** Rows of an embedding table beyond the vocabulary: 0 is padding, the last is for ids that the data never had. */
export const RESERVED_TOKENS = 2;

/** What a network over one tensor or one sequence reads; null for a table's columns, whose width the recipe knows. */
export function networkInputOf(features: readonly Feature[]) {
  const [feature] = features;
  if (feature?.kind === 'TENSOR') return { kind: 'TENSOR' as const, shape: feature.shape };
  if (feature?.kind !== 'TOKENS') return null;
  const { vocabulary, maxLength } = feature;
  return { kind: 'TOKENS' as const, vocabulary: vocabulary + RESERVED_TOKENS, maxLength };
}

export const RunSpec = z.strictObject({
  formatVersion: z.literal(1),
  /** sha256 (hex) of the canonical table, see table.ts. */
  datasetDigest: z.string().regex(/^[0-9a-f]{64}$/),
  task: Task,
  target: z.string().min(1),
  /** In order of class index; null for REGRESSION. */
  classes: z.array(z.string()).min(2).nullable(),
  positiveClass: z.string().nullable(),
  /** Columns of a table, or exactly one TENSOR or TOKENS column. */
  features: z.array(Feature).min(1).refine(aloneOrTabular, 'expected one TENSOR or TOKENS column alone, or none'),
  architecture: Architecture,
  loss: Loss,
  optimizer: Optimizer,
  ...FIT_FIELDS,
  /** Rows per step; null = the whole training split in one step. */
  batchSize: z.int().min(1).nullable(),
  preprocessing: z.enum(['AUTO', 'NONE']),
  objective: Objective,
  engine: EngineChoice,
  /** Intra-op threads: part of the spec because it can change the bytes. */
  threads: z.int().min(1).max(64),
  seed: z.int().min(0),
  budget: z.strictObject({
    maxEpochs: z.int().min(1).max(100_000),
    /** Steps of the optimiser: the last epoch is cut there. Absent = none. */
    maxSteps: z
      .int()
      .min(1)
      .max(2 ** 31 - 1)
      .optional(),
    /** Wall clock; null = none. A wall-clock budget voids bit-for-bit repeatability. */
    maxSeconds: z.number().positive().nullable(),
    /** Epochs without improvement of the objective on validation before stopping; null = off. */
    patience: z.int().min(1).nullable(),
  }),
});
export type RunSpec = z.infer<typeof RunSpec>;

/** Whether a network can read these together: tensors and sequences stand alone. */
export function aloneOrTabular(features: readonly Feature[]): boolean {
  return features.length === 1 || features.every(({ kind }) => kind === 'NUMERIC' || kind === 'CATEGORICAL');
}

/** The text whose sha256 is a RunSpec's digest: JSON with sorted keys, so that a database may reorder them. */
export function canonicalRunSpec(spec: RunSpec): string {
  return JSON.stringify(spec, (_key, value: unknown) =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}
