/** RunSpec: everything that decides a run's bytes. Written by the API in the transaction that creates the run. */
import { z } from 'zod';

export const Task = z.enum(['BINARY', 'MULTICLASS', 'REGRESSION']);
export type Task = z.infer<typeof Task>;

/** What validation is judged by: early stopping, best checkpoint and, for F1_MACRO, the threshold. */
export const Objective = z.enum(['ACCURACY', 'F1_MACRO', 'LOG_LOSS', 'RMSE']);
export type Objective = z.infer<typeof Objective>;

/** Only engines that train today. AUTO is resolved by the trainer that claims the run. */
export const EngineChoice = z.enum(['AUTO', 'ORT_CPU']);
export type EngineChoice = z.infer<typeof EngineChoice>;

export const Loss = z.enum(['BCE_WITH_LOGITS', 'SOFTMAX_CROSS_ENTROPY', 'MSE']);
export type Loss = z.infer<typeof Loss>;

/** One key per zoo entry. */
export const Architecture = z.strictObject({
  mlp: z.strictObject({ hidden: z.array(z.int().min(1).max(8192)).max(16) }),
});
export type Architecture = z.infer<typeof Architecture>;

export const Optimizer = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('SGD'),
    learningRate: z.number().positive(),
    momentum: z.number().min(0).lt(1),
    weightDecay: z.number().min(0),
  }),
  z.strictObject({
    kind: z.literal('ADAMW'),
    learningRate: z.number().positive(),
    beta1: z.number().min(0).lt(1),
    beta2: z.number().min(0).lt(1),
    epsilon: z.number().positive(),
    weightDecay: z.number().min(0),
  }),
]);
export type Optimizer = z.infer<typeof Optimizer>;

/** A column that the network reads, in the order of the table. */
export const Feature = z.strictObject({ name: z.string().min(1), kind: z.enum(['NUMERIC', 'CATEGORICAL']) });
export type Feature = z.infer<typeof Feature>;

export const RunSpec = z.strictObject({
  formatVersion: z.literal(1),
  /** sha256 (hex) of the canonical table, see table.ts. */
  datasetDigest: z.string().regex(/^[0-9a-f]{64}$/),
  task: Task,
  target: z.string().min(1),
  /** In order of class index; null for REGRESSION. */
  classes: z.array(z.string()).min(2).nullable(),
  positiveClass: z.string().nullable(),
  features: z.array(Feature).min(1),
  architecture: Architecture,
  loss: Loss,
  optimizer: Optimizer,
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
    /** Wall clock; null = none. A wall-clock budget voids bit-for-bit repeatability. */
    maxSeconds: z.number().positive().nullable(),
    /** Epochs without improvement of the objective on validation before stopping; null = off. */
    patience: z.int().min(1).nullable(),
  }),
});
export type RunSpec = z.infer<typeof RunSpec>;

/** The text whose sha256 is a RunSpec's digest: JSON with sorted keys, so that a database may reorder them. */
export function canonicalRunSpec(spec: RunSpec): string {
  return JSON.stringify(spec, (_key, value: unknown) =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}
