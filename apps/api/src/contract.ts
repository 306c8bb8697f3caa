/**
 * What the API reads from its workers: prediction events and feedback from the edge, predictions of the held-out rows
 * from the trainer.
 */
import { z } from 'zod';

/** PRIMARY answered the client; SHADOW was run after the answer, to be compared. */
export const VariantRole = z.enum(['PRIMARY', 'SHADOW']);
export type VariantRole = z.infer<typeof VariantRole>;
/** How a request came to its variant: by the weights, by its routeKey, or because it named a version. */
export const SelectedBy = z.enum(['WEIGHT', 'ROUTE_KEY', 'VERSION']);
export type SelectedBy = z.infer<typeof SelectedBy>;

/** One per predict request, failures too; `id` (UUIDv7) dedupes. */
export const PredictionEvent = z.strictObject({
  formatVersion: z.literal(1),
  id: z.uuid(),
  endpoint: z.string().min(1).max(63),
  revision: z.int().positive(),
  modelVersionId: z.string().min(1),
  /** Event time, ISO 8601, UTC. */
  time: z.iso.datetime(),
  /** What the edge spent, microseconds. */
  durationUs: z.int().min(0),
  status: z.enum(['OK', 'ERROR']),
  errorCode: z.string().max(64).nullable(),
  /** Instances in the request. */
  instances: z.int().min(0),
  /** In order of the instances; null for failures, and for models that answer plain tensors. */
  predictions: z
    .array(z.union([z.strictObject({ label: z.string(), score: z.number() }), z.strictObject({ value: z.number() })]))
    .nullable(),
  /** Absent = PRIMARY. */
  role: VariantRole.optional(),
  /** SHADOW: the event of the answer that the client got; feedback to it counts here too. */
  shadowOf: z.uuid().optional(),
  /** Absent = WEIGHT. */
  selectedBy: SelectedBy.optional(),
  /** Per instance, the values of the endpoint's logged columns as texts; absent where none are logged. */
  slices: z.array(z.record(z.string().max(200), z.string().max(200))).optional(),
});
export type PredictionEvent = z.infer<typeof PredictionEvent>;

/**
 * What was true of predictions of one endpoint, as one feedback request said it. A prediction is its event's id and the
 * instance's index. Of several labels for one prediction the one of the latest time counts.
 */
export const Feedback = z.strictObject({
  formatVersion: z.literal(1),
  kind: z.literal('FEEDBACK'),
  /** Only for logs: what dedupes is (endpoint, eventId, index). */
  id: z.uuid(),
  endpoint: z.string().min(1).max(63),
  /** When the edge was told, ISO 8601, UTC, microseconds. */
  time: z.iso.datetime({ precision: 6 }),
  labels: z
    .array(
      z.strictObject({
        eventId: z.uuid(),
        index: z.int().min(0).max(32_767),
        /** As it was sent, or the class that it names. */
        label: z.string().min(1).max(1000),
      }),
    )
    .min(1)
    .max(1000),
});
export type Feedback = z.infer<typeof Feedback>;

/** What an isolate of the edge counted of a version's columns in some seconds, no value of a row; `id` dedupes. */
export const Sketch = z.strictObject({
  formatVersion: z.literal(1),
  kind: z.literal('SKETCH'),
  id: z.uuid(),
  endpoint: z.string().min(1).max(63),
  modelVersionId: z.string().min(1),
  /** Start of the five minutes that the requests came in, ISO 8601, UTC. */
  time: z.iso.datetime(),
  columns: z
    .array(
      z.strictObject({
        column: z.string().min(1),
        /** Instances; `missing` of them have no value, the others stand in `counts`, bin by bin of the profile. */
        n: z.int().min(1),
        missing: z.int().min(0),
        /** Of the counted: categories that training never saw, or numbers beyond its range. */
        unseen: z.int().min(0),
        counts: z.array(z.int().min(0)).min(1).max(101),
      }),
    )
    .min(1)
    .max(200),
});
export type Sketch = z.infer<typeof Sketch>;

/** Raw inputs of one request, sent only where the endpoint's settings ask for samples; (id, index) dedupes. */
export const Sample = z.strictObject({
  formatVersion: z.literal(1),
  kind: z.literal('SAMPLE'),
  /** Of the prediction event. */
  id: z.uuid(),
  endpoint: z.string().min(1).max(63),
  /** Whose settings asked for it. */
  revision: z.int().positive(),
  modelVersionId: z.string().min(1),
  time: z.iso.datetime(),
  rows: z
    .array(z.strictObject({ index: z.int().min(0).max(4095), instance: z.record(z.string(), z.unknown()) }))
    .min(1)
    .max(1000),
});
export type Sample = z.infer<typeof Sample>;

/** What the edge's outbox carries; without a `kind` it is a prediction event. */
export const EdgeEvent = z.union([PredictionEvent, Feedback, Sketch, Sample]);
export type EdgeEvent = z.infer<typeof EdgeEvent>;

/** Events that one batch may carry. */
export const MAX_EVENTS = 500;

/** Body of POST /internal/prediction-events. */
export const PredictionEventBatch = z.strictObject({ events: z.array(EdgeEvent).min(1).max(MAX_EVENTS) });
export type PredictionEventBatch = z.infer<typeof PredictionEventBatch>;

/**
 * Predictions of held-out rows, made through the edge's code; every metric is computed from them by the API.
 * `rows` are positions in the canonical table; float32 outputs are written as exact doubles.
 */
export const PredictionsFile = z.discriminatedUnion('kind', [
  z.strictObject({
    formatVersion: z.literal(1),
    kind: z.literal('CLASSES'),
    rows: z.array(z.int().min(0)),
    classes: z.array(z.string()),
    /** [rows][classes], as the artifact's output. */
    probabilities: z.array(z.array(z.number())),
    /** Index into classes, at the manifest's threshold, as the edge answered. */
    labels: z.array(z.int().min(0)),
  }),
  z.strictObject({
    formatVersion: z.literal(1),
    kind: z.literal('VALUES'),
    rows: z.array(z.int().min(0)),
    values: z.array(z.number()),
  }),
]);
export type PredictionsFile = z.infer<typeof PredictionsFile>;

/** How training engine and edge compare on the held-out rows; stored per version. */
export const Parity = z.strictObject({
  engine: z.string(),
  rows: z.int().min(0),
  maxAbsDiff: z.number(),
  /** Allowed: |a-b| <= tolerance + tolerance * |b|. */
  tolerance: z.number().positive(),
  /** Share of rows with the same label; null for regression. */
  labelAgreement: z.number().min(0).max(1).nullable(),
});
export type Parity = z.infer<typeof Parity>;

/** What importing a model found and changed; stored with the version. */
export const ImportReport = z.strictObject({
  /** File name and sha256 of what came. */
  filename: z.string(),
  sourceDigest: z.string(),
  /** How the artifact is stored. */
  format: z.enum(['ONNX', 'ORT']),
  /** Of the default domain, as it came and as it is served. */
  opset: z.strictObject({ source: z.int(), served: z.int() }),
  /** What was changed, for people. */
  changes: z.array(z.string()),
  /** WASM heap after loading and probing, bytes, beyond that of the empty runtime. */
  heapBytes: z.int().min(0),
  /** What probing found, per input and output: published shapes can be wrong. -1 = variable. */
  shapes: z.array(
    z.strictObject({
      name: z.string(),
      kind: z.enum(['INPUT', 'OUTPUT']),
      declared: z.array(z.int()).nullable(),
      found: z.array(z.int()),
    }),
  ),
});
export type ImportReport = z.infer<typeof ImportReport>;
