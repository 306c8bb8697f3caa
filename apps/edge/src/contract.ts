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
  kind: z.enum(['NUMERIC', 'CATEGORICAL', 'TEXT', 'TENSOR', 'TOKENS', 'IGNORE']),
  /** True when the network reads it: then it must be present in every instance. */
  used: z.boolean(),
  /** CATEGORICAL and used: the categories seen in training, trimmed cell text. */
  categories: z.array(z.string()).optional(),
  /** Renamed values: applied to the trimmed cell text before anything else reads it. */
  values: z.array(z.strictObject({ from: z.string(), to: z.string() })).optional(),
  /** TENSOR and used: numbers of this shape, nested or as one flat list; they cannot be missing. */
  shape: z.array(z.int().min(1)).min(1).optional(),
  /** TOKENS and used: the most tokens of a sequence. */
  maxLength: z.int().min(1).optional(),
  /** TOKENS and used: the largest id of the dataset + 1; larger ids are taken for unknown. */
  vocabulary: z.int().min(1).optional(),
});
export type ManifestColumn = z.infer<typeof ManifestColumn>;

const inputOf = { name: z.string(), column: z.string() };
/** How one column is read. */
const ColumnInput = z.discriminatedUnion('type', [
  /** [N,1]: double (missing = NaN) or string (missing = ""). */
  z.strictObject({ ...inputOf, type: z.enum(['double', 'string']) }),
  /** [N,...shape] */
  z.strictObject({ ...inputOf, type: z.literal('float32'), shape: z.array(z.int().min(1)).min(1) }),
  /** [N,T], T at most `length`: ids, and -1 behind the end of the shorter sequences. */
  z.strictObject({ ...inputOf, type: z.literal('int32'), length: z.int().min(1) }),
]);
export type ColumnInput = z.infer<typeof ColumnInput>;

/** [N,columns]: columns side by side. A run pays for each of its inputs, so a hundred columns are better one. */
const WideInput = z.strictObject({
  name: z.string(),
  columns: z.array(z.string()).min(1),
  type: z.enum(['double', 'string']),
});

/** An ONNX input and the column, or columns, that it reads. */
export const ManifestInput = z.union([ColumnInput, WideInput]);
export type ManifestInput = z.infer<typeof ManifestInput>;

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
  /** They read every used column once. */
  inputs: z.array(ManifestInput).min(1),
  /** "probabilities" float32 [N,C], or "value" float32 [N]. */
  output: z.enum(['probabilities', 'value']),
});
export type Manifest = z.infer<typeof Manifest>;

/** How each used column is read, in the order of the inputs. */
export function columnInputs({ inputs }: Pick<Manifest, 'inputs'>): ColumnInput[] {
  return inputs.flatMap((input) => {
    if (!('columns' in input)) return [input];
    return input.columns.map((column): ColumnInput => ({ name: input.name, column, type: input.type }));
  });
}

/** Element types of tensors, by the names of the Open Inference Protocol. */
export const Datatype = z.enum([
  'BOOL',
  'UINT8',
  'UINT16',
  'UINT32',
  'UINT64',
  'INT8',
  'INT16',
  'INT32',
  'INT64',
  'FP16',
  'FP32',
  'FP64',
  'BYTES',
]);
export type Datatype = z.infer<typeof Datatype>;

const tensorOf = {
  name: z.string().min(1),
  datatype: Datatype,
  /** -1 = any size. */
  shape: z.array(z.int().min(-1)).max(16),
};
/** A model whose inputs and outputs are plain tensors by name: it knows no columns and answers no label. */
export const TensorManifest = z.strictObject({
  formatVersion: z.literal(1),
  kind: z.literal('TENSORS'),
  artifact: z.strictObject({ digest: Digest, byteLength: z.int().positive() }),
  inputs: z.array(z.strictObject(tensorOf)).min(1),
  /** `labels`: the names of the classes that an output has a number for. */
  outputs: z.array(z.strictObject({ ...tensorOf, labels: z.array(z.string()).optional() })).min(1),
});
export type TensorManifest = z.infer<typeof TensorManifest>;

/** `predict` and `feedback` are for callers of endpoints alone; `read` and those above it may call endpoints too. */
export const Scope = z.enum(['read', 'write', 'train', 'edge', 'admin', 'predict', 'feedback']);
export type Scope = z.infer<typeof Scope>;

/** How the edge counts a column's values: in the bins of the training data. */
export const ColumnProfile = z.discriminatedUnion('kind', [
  /** Bin i is [edges[i-1], edges[i]), the first and the last without an end: edges.length + 1 bins. */
  z.strictObject({
    column: z.string(),
    kind: z.literal('NUMERIC'),
    edges: z.array(z.number()).max(99),
    /** Values beyond them are unseen. */
    min: z.number(),
    max: z.number(),
  }),
  /** Bin i is categories[i]; one more for all others, which are unseen unless `others`. */
  z.strictObject({
    column: z.string(),
    kind: z.literal('CATEGORICAL'),
    categories: z.array(z.string()).max(100),
    /** True when training had more categories than are listed. */
    others: z.boolean(),
  }),
]);
export type ColumnProfile = z.infer<typeof ColumnProfile>;

export const RouteVariant = z.strictObject({
  modelVersionId: z.string().min(1),
  model: z.string().min(1),
  version: z.int().positive(),
  weight: z.number().positive(),
  manifest: z.union([Manifest, TensorManifest]),
  /** What its inputs are counted by, so that drift shows; absent = not counted. */
  profile: z.array(ColumnProfile).optional(),
});
export type RouteVariant = z.infer<typeof RouteVariant>;

/**
 * When the outbox has an event. BUFFERED: at most 50 ms after the answer, which a crash of the isolate can lose.
 * DURABLE: before the answer.
 */
export const EventDelivery = z.enum(['BUFFERED', 'DURABLE']);
export type EventDelivery = z.infer<typeof EventDelivery>;

/** What a shadow gets: a share of all requests, run after the answer. Its weight is that share, 0 to 1. */
export const ShadowVariant = RouteVariant.extend({ weight: z.number().positive().max(1) });
export type ShadowVariant = z.infer<typeof ShadowVariant>;

/** A key that may call the endpoint, and what the edge lets it ask; absent = no limit. */
export const RouteKey = z.strictObject({
  sha256: Digest,
  scopes: z.array(Scope),
  requestsPerMinute: z.int().positive().optional(),
  requestsPerDay: z.int().positive().optional(),
});
export type RouteKey = z.infer<typeof RouteKey>;

/** Instances a predict request may carry. */
export const MAX_INSTANCES = 1000;

/** What an endpoint does beside predicting; every part has a default. */
export const EndpointSettings = z.strictObject({
  /** Origins whose pages may call it: "https://app.example.com", or "*" for all. */
  cors: z.array(z.string().min(1).max(200)).max(20).default([]),
  /** Columns whose values go with the events, so that metrics can be asked for by slice. */
  logged: z.array(z.string().min(1).max(200)).max(5).default([]),
  /** Whether columns are counted for drift. */
  drift: z.boolean().default(true),
  /** Raw inputs are kept only if this is set: a share of the requests, for so many days. */
  samples: z
    .strictObject({ rate: z.number().min(0).max(1), retentionDays: z.int().min(1).max(90) })
    .nullable()
    .default(null),
  limits: z
    .strictObject({
      instances: z.int().min(1).max(MAX_INSTANCES).default(MAX_INSTANCES),
      /** Of a request's body. */
      bodyBytes: z.int().min(1).nullable().default(null),
      /** Characters of one text. */
      textLength: z.int().min(1).max(1_000_000).default(10_000),
      /** Milliseconds of computing; batches are cut into parts and stop between them. Null = none. */
      computeMs: z.int().min(1).nullable().default(null),
    })
    .prefault({}),
});
export type EndpointSettings = z.infer<typeof EndpointSettings>;

/** Where an endpoint's requests go. Revisions only rise; no variants = the endpoint was undeployed. */
export const Route = z.strictObject({
  formatVersion: z.literal(1),
  endpoint: EndpointName,
  revision: z.int().positive(),
  variants: z.array(RouteVariant),
  /** Run after the answer, never seen by the client. */
  shadows: z.array(ShadowVariant).default([]),
  events: EventDelivery.default('BUFFERED'),
  settings: EndpointSettings.prefault({}),
  /** Keys that may call this endpoint, by sha256 of the key. */
  keys: z.array(RouteKey),
});
export type Route = z.infer<typeof Route>;

export const PredictRequest = z.strictObject({
  instances: z.array(z.record(z.string(), z.unknown())).min(1).max(MAX_INSTANCES),
  /** Requests of the same key stay on the same variant. */
  routeKey: z.string().min(1).max(256).optional(),
});
export type PredictRequest = z.infer<typeof PredictRequest>;

export const ClassPrediction = z.strictObject({
  label: z.string(),
  score: z.number(),
  probabilities: z.record(z.string(), z.number()),
});
export type ClassPrediction = z.infer<typeof ClassPrediction>;
export const ValuePrediction = z.strictObject({ value: z.number() });
export type ValuePrediction = z.infer<typeof ValuePrediction>;
/** What the model says of one instance: `score` is the probability of `label`. */
export type Prediction = ClassPrediction | ValuePrediction;
/** `id` is opaque; feedback names it. */
export const PredictResponse = z.strictObject({
  endpoint: z.string(),
  /** Of the route that answered. */
  revision: z.int(),
  model: z.string(),
  version: z.int(),
  predictions: z.array(
    z.union([ClassPrediction.extend({ id: z.string() }), ValuePrediction.extend({ id: z.string() })]),
  ),
});
export type PredictResponse = z.infer<typeof PredictResponse>;

/** The most labels that a feedback request may carry, and characters of one. */
export const MAX_FEEDBACK = 1000;
export const MAX_LABEL_LENGTH = 1000;

/** What was true of a prediction: `id` as the prediction had it; a class, or a number where numbers are predicted. */
export const FeedbackItem = z.strictObject({
  id: z.string().min(1).max(128),
  label: z.union([z.string().min(1).max(MAX_LABEL_LENGTH), z.number(), z.boolean()]),
});
export type FeedbackItem = z.infer<typeof FeedbackItem>;
export const FeedbackList = z.strictObject({ feedback: z.array(FeedbackItem).min(1).max(MAX_FEEDBACK) });
export const FeedbackRequest = z.union([FeedbackItem, FeedbackList]);
export type FeedbackRequest = z.infer<typeof FeedbackRequest>;
/** Labels that were taken, new or not. */
export const FeedbackResponse = z.strictObject({ accepted: z.int() });
export type FeedbackResponse = z.infer<typeof FeedbackResponse>;

/** Every error of the edge but those of /v2: HTTP status + this body. `field` is a path such as instances[3].age. */
export const ErrorBody = z.strictObject({
  error: z.strictObject({ code: z.string(), message: z.string(), field: z.string().optional() }),
});
export type ErrorBody = z.infer<typeof ErrorBody>;

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
