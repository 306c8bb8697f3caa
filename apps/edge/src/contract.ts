/** What the edge reads: the manifest of a model version, the route of an endpoint, and the plain predict form. */
import { z } from 'zod';

export const Digest = z.string().regex(/^[0-9a-f]{64}$/, 'expected a sha256 in lower-case hex');
/** Endpoint names stand in URLs. */
export const EndpointName = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'expected 1-63 of a-z, 0-9 and -');

/** A column of the dataset as a client may send it. */
export const ManifestColumn = z.strictObject({
  name: z.string().min(1),
  kind: z.enum(['NUMERIC', 'CATEGORICAL', 'TEXT', 'IGNORE']),
  /** True when the network reads it: then it must be present in every instance. */
  used: z.boolean(),
  /** CATEGORICAL and used: the categories seen in training, trimmed cell text. */
  categories: z.array(z.string()).optional(),
  /** Renamed values: applied to the trimmed cell text before anything else reads it. */
  values: z.array(z.strictObject({ from: z.string(), to: z.string() })).optional(),
});
export type ManifestColumn = z.infer<typeof ManifestColumn>;

/** How raw rows become a prediction, without names of models or endpoints. The only source of the threshold. */
export const Manifest = z.strictObject({
  formatVersion: z.literal(1),
  task: z.enum(['BINARY', 'MULTICLASS', 'REGRESSION']),
  artifact: z.strictObject({ digest: Digest, byteLength: z.int().positive() }),
  /** Every column of the dataset but the target, in file order. */
  columns: z.array(ManifestColumn).min(1),
  target: z.string().min(1),
  /** Cell texts (after trimming) that mean missing, beside "". */
  missingValues: z.array(z.string()),
  classes: z.array(z.string()).min(2).nullable(),
  positiveClass: z.string().nullable(),
  /** BINARY: label = positiveClass iff its probability >= threshold. Else null: the class of largest probability. */
  threshold: z.number().min(0).max(1).nullable(),
  /** One ONNX input [N,1] per used column: double (missing = NaN) or string (missing = ""). */
  inputs: z.array(z.strictObject({ name: z.string(), column: z.string(), type: z.enum(['double', 'string']) })).min(1),
  /** "probabilities" float32 [N,C], or "value" float32 [N]. */
  output: z.enum(['probabilities', 'value']),
});
export type Manifest = z.infer<typeof Manifest>;

export const Scope = z.enum(['read', 'write', 'train', 'edge', 'admin']);
export type Scope = z.infer<typeof Scope>;

export const RouteVariant = z.strictObject({
  modelVersionId: z.string().min(1),
  model: z.string().min(1),
  version: z.int().positive(),
  weight: z.number().positive(),
  manifest: Manifest,
});
export type RouteVariant = z.infer<typeof RouteVariant>;

/** Where an endpoint's requests go. Revisions only rise; no variants = the endpoint was undeployed. */
export const Route = z.strictObject({
  formatVersion: z.literal(1),
  endpoint: EndpointName,
  revision: z.int().positive(),
  variants: z.array(RouteVariant),
  /** Keys that may call this endpoint, by sha256 of the key. */
  keys: z.array(z.strictObject({ sha256: Digest, scopes: z.array(Scope) })),
});
export type Route = z.infer<typeof Route>;

/** Instances a predict request may carry. */
export const MAX_INSTANCES = 1000;

export const PredictRequest = z.strictObject({
  instances: z.array(z.record(z.string(), z.unknown())).min(1).max(MAX_INSTANCES),
  /** Requests of the same key stay on the same variant. */
  routeKey: z.string().min(1).max(256).optional(),
});
export type PredictRequest = z.infer<typeof PredictRequest>;

export type ClassPrediction = { label: string; score: number; probabilities: Record<string, number> };
export type ValuePrediction = { value: number };
/** What the model says of one instance: `score` is the probability of `label`. */
export type Prediction = ClassPrediction | ValuePrediction;
export type PredictResponse = {
  endpoint: string;
  model: string;
  version: number;
  predictions: (Prediction & { id: string })[];
};

/** Every error of the edge: HTTP status + this body. `field` is a path such as instances[3].age. */
export type ErrorBody = { error: { code: string; message: string; field?: string } };

/** Header names of a signed push to the admin door; the signature covers `pushPayload`. */
export const PUSH_HEADERS = { time: 'x-anneal-time', revision: 'x-anneal-revision', signature: 'x-anneal-signature' };
/** Seconds that a push's time may differ from the edge's clock. */
export const PUSH_WINDOW_SECONDS = 300;

/**
 * The text that is signed (HMAC-SHA256, hex) for PUT /admin/artifacts/{digest} and PUT /admin/routes/{endpoint}.
 * `digest` is the sha256 (hex) of the body, `revision` the route's revision or 0 for an artifact, `time` Unix seconds.
 */
export function pushPayload(p: {
  method: string;
  path: string;
  digest: string;
  revision: number;
  time: number;
}): string {
  return [p.method, p.path, p.digest, p.revision, p.time].join('\n');
}
