/** What a dataset version stores beside its table: the JSON of its row, typed. Written once, by commit. */
import { z } from 'zod';

/** One column as it was parsed. */
export const StoredColumn = z.object({
  name: z.string(),
  kind: z.enum(['NUMERIC', 'CATEGORICAL', 'TEXT', 'TENSOR', 'TOKENS', 'IGNORE']),
  role: z.enum(['FEATURE', 'TARGET']),
  inferred: z.boolean(),
  reason: z.string().nullable(),
  values: z.array(z.object({ from: z.string(), to: z.string() })),
  /** Of TENSOR. */
  shape: z.array(z.int()).optional(),
  /** Of TOKENS. */
  vocabulary: z.int().optional(),
  maxLength: z.int().optional(),
  profile: z.object({
    count: z.number(),
    missing: z.number(),
    distinct: z.number().nullable(),
    min: z.number().nullable(),
    max: z.number().nullable(),
    mean: z.number().nullable(),
    std: z.number().nullable(),
    top: z.array(z.object({ value: z.string(), count: z.number() })).nullable(),
  }),
});
export type StoredColumn = z.infer<typeof StoredColumn>;
export const StoredColumns = z.array(StoredColumn);

/** How many rows have which label. */
export const StoredBalance = z.array(z.object({ label: z.string(), count: z.number() })).nullable();
export type StoredBalance = z.infer<typeof StoredBalance>;

/** Which rows are for what. */
export const StoredSplit = z.object({
  spec: z.unknown(),
  digest: z.string(),
  counts: z.object({ TRAIN: z.number(), VALIDATION: z.number(), TEST: z.number() }),
});
export type StoredSplit = z.infer<typeof StoredSplit>;

/** What was worth knowing and did not stop the commit. */
export const StoredFindings = z.array(
  z.object({
    code: z.string(),
    severity: z.enum(['WARNING', 'NOTE']),
    message: z.string(),
    column: z.string().nullable(),
    count: z.number().nullable(),
  }),
);
export type StoredFinding = z.infer<typeof StoredFindings>[number];

/** The files that it was parsed from. */
export const StoredSources = z.array(z.object({ filename: z.string(), digest: z.string(), byteLength: z.number() }));
export type StoredSource = z.infer<typeof StoredSources>[number];
