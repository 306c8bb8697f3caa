/**
 * What the API reads from its workers: prediction events and feedback from the edge, predictions of the held-out rows
 * from the trainer.
 */
import { z } from 'zod';

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

/** What the edge's outbox carries; without a `kind` it is a prediction event. */
export const EdgeEvent = z.union([PredictionEvent, Feedback]);
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
