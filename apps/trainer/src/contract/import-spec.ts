/** ImportSpec: what to make of an ONNX file from elsewhere. Written by the API when it queues the run. */
import { z } from 'zod';
import { Feature, Task } from './run-spec.ts';

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** A tensor as the caller declares it; -1 = any size. Checked against the file. */
export const DeclaredTensor = z.strictObject({
  name: z.string().min(1),
  datatype: z.string().min(1),
  shape: z.array(z.int().min(-1)).max(16),
});
export type DeclaredTensor = z.infer<typeof DeclaredTensor>;

/** How rows become the one input of the model, and its output a prediction. */
export const ImportPreprocessing = z.strictObject({
  /** Columns in the order in which they stand in the input's last axis; or one TENSOR column that is the input. */
  columns: z.array(z.string().min(1)).min(1),
  /** Name of the model's input and output; may be left out where there is one, or one that fits. */
  input: z.string().min(1).nullable(),
  output: z.string().min(1).nullable(),
  /** (x - mean) / scale, one number for all columns or one for each; null = as it is. */
  mean: z.array(z.number()).min(1).nullable(),
  scale: z
    .array(z.number().refine((x) => x !== 0, 'expected no zero'))
    .min(1)
    .nullable(),
  /** What makes probabilities of the output: nothing, SOFTMAX over the last axis, or SIGMOID of one logit. */
  activation: z.enum(['NONE', 'SOFTMAX', 'SIGMOID']),
});
export type ImportPreprocessing = z.infer<typeof ImportPreprocessing>;

/** Of two classes, unless the import says otherwise. */
export const IMPORT_THRESHOLD = 0.5;

export const ImportSpec = z.strictObject({
  formatVersion: z.literal(1),
  kind: z.literal('IMPORT'),
  source: z.strictObject({ digest: Sha256, byteLength: z.int().positive(), filename: z.string() }),
  signature: z
    .strictObject({ inputs: z.array(DeclaredTensor).nullable(), outputs: z.array(DeclaredTensor).nullable() })
    .nullable(),
  /** Names of the classes, in the order of the output's numbers. */
  labels: z.array(z.string().min(1)).min(2).nullable(),
  /** Of two classes the one that the threshold speaks of; null = the data's, or the last one. */
  positiveClass: z.string().min(1).nullable().default(null),
  /** The least probability of the positive class that makes it the label; null = IMPORT_THRESHOLD. */
  threshold: z.number().min(0).max(1).nullable().default(null),
  /** With it the version takes rows by column name, without it tensors by name. */
  preprocessing: ImportPreprocessing.nullable(),
  /** The data whose columns are meant, and whose TEST rows it is evaluated on. */
  data: z
    .strictObject({
      datasetDigest: Sha256,
      task: Task,
      target: z.string().min(1),
      classes: z.array(z.string()).min(2).nullable(),
      positiveClass: z.string().nullable(),
      features: z.array(Feature),
    })
    .nullable(),
});
export type ImportSpec = z.infer<typeof ImportSpec>;
