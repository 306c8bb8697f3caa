/**
 * Evaluation: the metrics of a version on rows that training never saw, or on what it answered, each with its interval.
 */
import type { Manifest } from '@anneal/edge/contract';
import { GraphQLError } from 'graphql';
import { builder } from '../builder.ts';
import type { Context } from '../context.ts';
import { type EvaluationRow, isStale, type Metrics, metricsOf } from '../domain/evaluation.ts';
import { evaluateLive, type LiveAnswers, type LiveEvaluation, type LiveQuery } from '../domain/live.ts';
import { readable } from './traffic.ts';

type ClassMetrics = Extract<Metrics, { kind: 'CLASSES' }>;
type ValueMetrics = Extract<Metrics, { kind: 'VALUES' }>;
type Estimate = ClassMetrics['accuracy'];
type PerClass = ClassMetrics['perClass'][number];

/** Null in `stored`: LIVE or SHADOW, made from the events of the window. Null in `live`: HOLDOUT, which is stored. */
interface Evaluation {
  source: 'HOLDOUT' | 'LIVE' | 'SHADOW';
  stored: EvaluationRow | null;
  live: (LiveAnswers & LiveEvaluation) | null;
  createdAt: Date;
  manifest: Manifest;
  threshold: number | null;
  /** Computed when the first metric is asked for, and once. */
  metrics(): Promise<Metrics>;
}

export const EvaluationSourceEnum = builder.enumType('EvaluationSource', {
  description: 'Which predictions an evaluation judges.',
  values: {
    HOLDOUT: { description: 'The TEST rows of the data set, predicted by the code that answers at the edge.' },
    LIVE: { description: 'What the edge answered in a window of time, as far as feedback has said what was true.' },
    SHADOW: { description: 'As LIVE, of what it said as a shadow: feedback to the answers that clients got counts.' },
  } as const,
});

/** Argument of evaluation. */
export const SliceInput = builder.inputType('SliceInput', {
  description: 'Predictions for instances with one value in one column, of those that the endpoint logs.',
  fields: (t) => ({
    column: t.string({ required: true, description: 'The column, as in settings.logged of deploy.' }),
    value: t.string({ required: true, description: 'The value as a text, as `slices` lists it.' }),
  }),
});

const AverageEnum = builder.enumType('Average', {
  description: 'How the numbers of the classes become one.',
  values: {
    BINARY: { description: 'Of the positive class alone; null where there are not two classes.' },
    MACRO: { description: 'Mean over the classes, each counting the same.' },
    MICRO: { description: 'From the counts of all classes together.' },
    WEIGHTED: { description: 'Mean over the classes, weighted by their support.' },
  } as const,
});

/** A metric with its interval. */
export const EstimateType = builder.objectRef<Estimate>('Estimate').implement({
  description: 'A metric with its 95 % interval: Wilson for proportions, a seeded bootstrap for the rest.',
  fields: (t) => ({
    value: t.exposeFloat('value', { nullable: true, description: 'The metric; null where it is undefined (0/0).' }),
    low: t.exposeFloat('low', { nullable: true, description: 'Lower end of the interval.' }),
    high: t.exposeFloat('high', { nullable: true, description: 'Upper end of the interval.' }),
    n: t.exposeInt('n', { description: 'Rows that it was computed from.' }),
  }),
});

const LabelDelayType = builder.objectRef<NonNullable<LiveAnswers['labelDelay']>>('LabelDelay').implement({
  description: 'Quantiles of the time from a prediction to the label that counts, seconds.',
  fields: (t) => ({
    p50: t.exposeFloat('p50', { description: 'Half of the labels came within this.' }),
    p95: t.exposeFloat('p95', { description: '95 % of the labels came within this.' }),
  }),
});

const PerClassType = builder.objectRef<PerClass>('ClassMetrics').implement({
  description: 'Metrics of one class against all others.',
  fields: (t) => ({
    label: t.exposeString('label', { description: 'The class.' }),
    precision: t.float({
      nullable: true,
      description: 'Share of right answers among those that answered this class; null of none.',
      resolve: (p) => p.precision.value,
    }),
    recall: t.float({
      nullable: true,
      description: 'Share of the rows of this class that were found; null of none.',
      resolve: (p) => p.recall.value,
    }),
    f1: t.float({
      nullable: true,
      description: 'Harmonic mean of precision and recall; null where it is undefined.',
      resolve: (p) => p.f1.value,
    }),
    support: t.exposeInt('support', { description: 'Rows of this class.' }),
    precisionEstimate: t.expose('precision', { type: EstimateType, description: 'precision with its interval.' }),
    recallEstimate: t.expose('recall', { type: EstimateType, description: 'recall with its interval.' }),
    f1Estimate: t.expose('f1', { type: EstimateType, description: 'f1 with its interval.' }),
  }),
});

const ConfusionMatrixType = builder.objectRef<ClassMetrics['confusionMatrix']>('ConfusionMatrix').implement({
  description: 'What was answered for rows of each class.',
  fields: (t) => ({
    labels: t.exposeStringList('labels', { description: 'The classes, in the order of rows and columns.' }),
    counts: t.field({
      type: t.listRef(t.listRef('Int')),
      description: 'counts[i][j] = rows of class i that were answered as class j.',
      resolve: (matrix) => matrix.counts,
    }),
  }),
});

const classMetrics = async (e: Evaluation): Promise<ClassMetrics | null> => {
  const metrics = await e.metrics();
  return metrics.kind === 'CLASSES' ? metrics : null;
};
const valueMetrics = async (e: Evaluation): Promise<ValueMetrics | null> => {
  const metrics = await e.metrics();
  return metrics.kind === 'VALUES' ? metrics : null;
};

/** What evaluation answers. */
export const EvaluationType = builder.objectRef<Evaluation>('Evaluation');

EvaluationType.implement({
  description:
    'How good a version is, by predictions that the code of the edge made. Metrics of classification are null for ' +
    'REGRESSION and the other way round.',
  fields: (t) => ({
    source: t.field({
      type: EvaluationSourceEnum,
      description: 'Which predictions were judged.',
      resolve: (e) => e.source,
    }),
    n: t.int({
      description: 'HOLDOUT: rows that were judged. LIVE, SHADOW: predictions that were made in the window.',
      resolve: (e) => e.live?.n ?? e.stored?.n ?? 0,
    }),
    labelled: t.int({
      description: 'Of the n, those whose truth is known: what the metrics are computed from. HOLDOUT: all of them.',
      resolve: (e) => e.live?.labelled ?? e.stored?.n ?? 0,
    }),
    threshold: t.float({
      nullable: true,
      description: 'BINARY: the threshold that labels were counted at. Else null.',
      resolve: (e) => e.threshold,
    }),
    positiveClass: t.string({
      nullable: true,
      description: 'BINARY: the class that average BINARY, threshold and rocAuc speak of. Else null.',
      resolve: (e) => e.manifest.positiveClass,
    }),
    wasmDigest: t.string({
      nullable: true,
      description: 'HOLDOUT: sha256 of the WebAssembly runtime that predicted. Else null.',
      resolve: (e) => e.stored?.wasmDigest,
    }),
    edgeBuild: t.string({
      nullable: true,
      description: "HOLDOUT: sha256 of the edge's code that predicted. Else null.",
      resolve: (e) => e.stored?.edgeBuild,
    }),
    datasetDigest: t.string({
      nullable: true,
      description: 'HOLDOUT: Digest of the data set version whose rows were judged. Else null.',
      resolve: (e) => e.stored?.datasetDigest,
    }),
    createdAt: t.field({
      type: 'DateTime',
      description: 'HOLDOUT: when the predictions were made. Else now.',
      resolve: (e) => e.createdAt,
    }),
    stale: t.boolean({
      description: 'HOLDOUT: true when the edge now runs other code than made these predictions.',
      resolve: (e) => (e.stored ? isStale(e.stored) : false),
    }),
  }),
});

builder.objectFields(EvaluationType, (t) => ({
  unknownLabels: t.int({
    description: 'LIVE, SHADOW: labels that name no class of the version (or no number); they count nowhere else.',
    resolve: (e) => e.live?.unknownLabels ?? 0,
  }),
  labelDelay: t.field({
    type: LabelDelayType,
    nullable: true,
    description: 'LIVE, SHADOW: how long after predictions their labels came; null without labels.',
    resolve: (e) => e.live?.labelDelay,
  }),
  from: t.field({
    type: 'DateTime',
    nullable: true,
    description: 'LIVE, SHADOW: start of the window, included; whole minutes. Else null.',
    resolve: (e) => e.live?.window.from,
  }),
  to: t.field({
    type: 'DateTime',
    nullable: true,
    description: 'LIVE, SHADOW: end of the window, not included. Else null.',
    resolve: (e) => e.live?.window.to,
  }),
}));

builder.objectFields(EvaluationType, (t) => {
  const estimate = (description: string, of: (e: Evaluation) => Promise<Estimate | null | undefined>) =>
    t.field({ type: EstimateType, nullable: true, description, resolve: of });
  const averaged = (metric: 'precision' | 'recall' | 'f1', description: string) =>
    t.field({
      type: EstimateType,
      nullable: true,
      description,
      args: {
        average: t.arg({
          type: AverageEnum,
          required: true,
          defaultValue: 'MACRO',
          description: 'How the classes are averaged.',
        }),
      },
      resolve: async (e, { average }) => (await classMetrics(e))?.averages[average]?.[metric],
    });
  return {
    accuracy: estimate('Share of right labels.', async (e) => (await classMetrics(e))?.accuracy),
    precision: averaged('precision', 'Of the rows answered as a class, the share that is of it; averaged.'),
    recall: averaged('recall', 'Of the rows of a class, the share answered as it; averaged.'),
    f1: averaged('f1', 'Harmonic mean of precision and recall by class; averaged.'),
    logLoss: estimate('Mean cross-entropy of the probabilities.', async (e) => (await classMetrics(e))?.logLoss),
    rocAuc: estimate('BINARY: area under the ROC curve.', async (e) => (await classMetrics(e))?.rocAuc),
    perClass: t.field({
      type: [PerClassType],
      nullable: true,
      description: 'Metrics of each class, in the order of the classes.',
      resolve: async (e) => (await classMetrics(e))?.perClass,
    }),
    confusionMatrix: t.field({
      type: ConfusionMatrixType,
      nullable: true,
      description: 'Rows by class and answer.',
      resolve: async (e) => (await classMetrics(e))?.confusionMatrix,
    }),
    rmse: estimate("Root of the mean squared error, in the target's unit.", async (e) => (await valueMetrics(e))?.rmse),
    mae: estimate("Mean absolute error, in the target's unit.", async (e) => (await valueMetrics(e))?.mae),
    r2: estimate('Share of the variance that is explained.', async (e) => (await valueMetrics(e))?.r2),
  };
});

/** The evaluation of a version, null where there is none; computes no metric yet. @throws GraphQLError BAD_THRESHOLD */
export function evaluationOf(
  ctx: Context,
  version: { manifest: Manifest; row: EvaluationRow | undefined; threshold: number | null | undefined },
): Evaluation | null {
  const { manifest, row } = version;
  const at = version.threshold ?? null;
  if (at !== null && manifest.task !== 'BINARY')
    throw badThreshold(`a threshold needs a BINARY version, this one is ${manifest.task}: leave it out`);
  if (at !== null && !(at >= 0 && at <= 1)) throw badThreshold(`expected a threshold from 0 to 1, got ${at}`);
  if (!row) return null;
  const { positiveClass, threshold } = manifest;
  let metrics: Promise<Metrics> | undefined;
  return {
    source: 'HOLDOUT',
    stored: row,
    live: null,
    createdAt: row.createdAt,
    manifest,
    threshold: at ?? threshold,
    metrics: () => {
      metrics ??= metricsOf(ctx, { evaluation: row, positiveClass, threshold, at });
      return metrics;
    },
  };
}

/**
 * The evaluation of a version by feedback; what the window holds is read now, the metrics when they are asked for.
 * @throws GraphQLError BAD_WINDOW, or BAD_THRESHOLD where a threshold is asked for
 */
export async function liveEvaluationOf(
  ctx: Context,
  version: { id: string; manifest: Manifest; threshold: number | null | undefined; query: LiveQuery },
): Promise<Evaluation> {
  const { manifest } = version;
  if (version.threshold != null)
    throw badThreshold(
      'LIVE and SHADOW count the labels that were answered, at the threshold of the manifest: leave it out',
    );
  const answers = await readable(() => ctx.loaders.live.load(version.id, version.query));
  const live = { ...answers, ...evaluateLive(ctx, answers, manifest) };
  const { threshold } = manifest;
  const source = version.query.role === 'SHADOW' ? 'SHADOW' : 'LIVE';
  return { source, stored: null, live, createdAt: ctx.now(), manifest, threshold, metrics: live.metrics };
}

function badThreshold(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'BAD_THRESHOLD' } });
}
