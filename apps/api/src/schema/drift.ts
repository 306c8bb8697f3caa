/** Drift: what is asked of a version next to what it was trained on; and the raw inputs that an endpoint samples. */
import { builder, page } from '../builder.ts';
import type { ColumnDrift, Drift, Shares } from '../domain/drift.ts';
import type { ChiSquare } from '../evaluation/drift.ts';
import { CHANCE, MAJOR_PSI, MODERATE_PSI } from '../evaluation/drift.ts';
import { readable, TrafficWindowInput } from './traffic.ts';

const SeverityEnum = builder.enumType('DriftSeverity', {
  description: 'How far a column is from the rows of training.',
  values: {
    NONE: { description: `PSI below ${MODERATE_PSI}, or one that chance alone makes more often than ${CHANCE}.` },
    MODERATE: { description: `PSI from ${MODERATE_PSI} to below ${MAJOR_PSI}.` },
    MAJOR: { description: `PSI of ${MAJOR_PSI} or more.` },
  } as const,
});

const KindEnum = builder.enumType('DriftColumnKind', {
  description: 'How the values of a column are counted.',
  values: {
    NUMERIC: { description: 'In up to ten ranges that hold a tenth of the rows of training or more.' },
    CATEGORICAL: { description: 'By category, the 50 most frequent of training; all others together.' },
  } as const,
});

const SharesType = builder.objectRef<Shares>('DriftShares').implement({
  description: 'A share of the rows of training next to that of the instances that came.',
  fields: (t) => ({
    expected: t.exposeFloat('expected', { description: 'Of the TRAIN rows.' }),
    observed: t.exposeFloat('observed', { description: 'Of the instances in the window.' }),
  }),
});

const BinType = builder.objectRef<ColumnDrift['bins'][number]>('DriftBin').implement({
  description: 'A range of numbers, or a category.',
  fields: (t) => ({
    label: t.exposeString('label', { description: 'The category, or the range as a text; "(others)" = all others.' }),
    expected: t.exposeFloat('expected', { description: 'Its share of the TRAIN rows.' }),
    observed: t.exposeFloat('observed', { description: 'Its share of the instances in the window.' }),
  }),
});

const ChiSquareType = builder.objectRef<ChiSquare>('ChiSquareTest').implement({
  description: "Pearson's test of homogeneity: whether both can be rows of one distribution.",
  fields: (t) => ({
    statistic: t.exposeFloat('statistic', { description: 'Sum of (counted - expected)^2 / expected.' }),
    degreesOfFreedom: t.exposeInt('degreesOfFreedom', { description: 'Bins - 1, small bins counted as one.' }),
    pValue: t.exposeFloat('pValue', { description: 'How often chance alone makes so large a statistic.' }),
  }),
});

const ColumnDriftType = builder.objectRef<ColumnDrift>('ColumnDrift').implement({
  description: 'A column that the version reads, or "$prediction": what it answered, against its held-out rows.',
  fields: (t) => ({
    column: t.exposeString('column', { description: 'Its name.' }),
    kind: t.expose('kind', { type: KindEnum, description: 'How it is counted.' }),
    n: t.field({ type: 'BigInt', description: 'Instances that were counted.', resolve: ({ n }) => BigInt(n) }),
    missing: t.expose('missing', { type: SharesType, description: 'Share without a value.' }),
    unseen: t.field({
      type: 'BigInt',
      description: 'Instances with a category that training never saw, or a number beyond its range.',
      resolve: ({ unseen }) => BigInt(unseen),
    }),
    psi: t.exposeFloat('psi', {
      nullable: true,
      description: 'Population stability index over the bins and the missing: 0 = equal.',
    }),
    jensenShannon: t.exposeFloat('jensenShannon', {
      nullable: true,
      description: 'Jensen-Shannon distance (base 2): 0 = equal, 1 = nothing in common.',
    }),
    chiSquare: t.expose('chiSquare', {
      type: ChiSquareType,
      nullable: true,
      description: 'A test; null where fewer than two bins have five expected rows.',
    }),
    bins: t.expose('bins', { type: [BinType], description: 'Shares of all rows, in the order of the bins.' }),
    severity: t.expose('severity', { type: SeverityEnum, nullable: true, description: 'What to make of it.' }),
  }),
});

const DriftType = builder.objectRef<Drift>('Drift').implement({
  description: 'What was asked of a version, column by column, against its rows of training. No value leaves the edge.',
  fields: (t) => ({
    from: t.field({ type: 'DateTime', description: 'Start of the window, included.', resolve: (d) => d.window.from }),
    to: t.field({ type: 'DateTime', description: 'End of the window, not included.', resolve: (d) => d.window.to }),
    n: t.field({ type: 'BigInt', description: 'Instances that were counted.', resolve: ({ n }) => BigInt(n) }),
    columns: t.expose('columns', { type: [ColumnDriftType], description: 'Those with the largest PSI first.' }),
  }),
});

builder.prismaObjectFields('ModelVersion', (t) => ({
  drift: t.field({
    type: DriftType,
    nullable: true,
    complexity: 10,
    description:
      'How what it is asked differs from what it was trained on; counted by five minutes, those that the window ' +
      'touches. Null where nothing was counted, or the version has no data to compare with. A window that cannot be ' +
      'read is an error with the code BAD_WINDOW.',
    args: {
      window: t.arg({ type: TrafficWindowInput, description: 'The last 24 hours when omitted.' }),
      endpoint: t.arg.string({ description: 'What this endpoint was asked; all of them when omitted.' }),
    },
    select: { id: true },
    resolve: ({ id }, { window, endpoint }, ctx) =>
      readable(() => ctx.loaders.drift.load(id, { window, endpoint: endpoint ?? null })),
  }),
}));

builder.prismaObject('SampledInput', {
  description: 'A raw input, kept because the settings of its endpoint ask for samples.',
  fields: (t) => ({
    time: t.expose('time', { type: 'DateTime', description: 'When it was answered.' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'When it is deleted.' }),
    modelVersion: t.relation('modelVersion', { description: 'The version that answered.' }),
    instance: t.expose('instance', { type: 'JSON', description: 'The row as it was sent.' }),
  }),
});

builder.prismaObjectFields('Endpoint', (t) => ({
  samples: t.relatedConnection('samples', {
    cursor: 'id',
    complexity: page,
    description: 'Raw inputs that its settings asked to keep, newest first; none unless samples are switched on.',
    totalCount: true,
    query: (_args, ctx) => ({ where: { expiresAt: { gt: ctx.now() } }, orderBy: { id: 'desc' } }),
  }),
}));
