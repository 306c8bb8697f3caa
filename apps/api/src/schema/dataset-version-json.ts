/** The parts of a dataset version that are stored as JSON: columns, balance, split, findings, sources. */
import { builder } from '../builder.ts';
import type {
  StoredBalance,
  StoredColumn,
  StoredFinding,
  StoredSource,
  StoredSplit,
} from '../domain/dataset-columns.ts';

export const ColumnKindEnum = builder.enumType('ColumnKind', {
  description: 'What the cells of a column are.',
  values: {
    NUMERIC: { description: 'Numbers.' },
    CATEGORICAL: { description: 'One of a limited set of texts.' },
    TEXT: { description: 'Free text; left out of training for now.' },
    TENSOR: { description: 'Numbers of one shape in every row, such as images; the first axis is that of channels.' },
    TOKENS: { description: 'Sequences of ids from 0, each of its own length.' },
    IGNORE: { description: 'Not read: identifiers, empty columns, what the commit said.' },
  } as const,
});

const ColumnRoleEnum = builder.enumType('ColumnRole', {
  description: 'What a column is for.',
  values: {
    FEATURE: { description: 'Something to predict from.' },
    TARGET: { description: 'What is predicted.' },
  } as const,
});

const ValueCount = builder.objectRef<{ value: string; count: number }>('ValueCount').implement({
  description: 'How often a value occurs.',
  fields: (t) => ({
    value: t.exposeString('value', { description: 'The trimmed text of the cell.' }),
    count: t.exposeInt('count', { description: 'Rows that have it.' }),
  }),
});

const ValueRenameType = builder.objectRef<{ from: string; to: string }>('ValueRename').implement({
  description: 'A value that is replaced before anything else reads it.',
  fields: (t) => ({
    from: t.exposeString('from', { description: 'The trimmed text of the cell.' }),
    to: t.exposeString('to', { description: 'What stands for it.' }),
  }),
});

const ColumnProfile = builder.objectRef<StoredColumn['profile']>('ColumnProfile').implement({
  description: 'What the cells of a column are like, over all rows.',
  fields: (t) => ({
    count: t.exposeInt('count', { description: 'Cells with a value.' }),
    missing: t.exposeInt('missing', { description: 'Cells without one.' }),
    distinct: t.exposeInt('distinct', { nullable: true, description: 'Different values; null = too many to count.' }),
    min: t.exposeFloat('min', {
      nullable: true,
      description: 'Smallest number; null for texts. TENSOR: over all its numbers; TOKENS: over the lengths.',
    }),
    max: t.exposeFloat('max', { nullable: true, description: 'Largest number; null for texts.' }),
    mean: t.exposeFloat('mean', { nullable: true, description: 'Mean; null for texts.' }),
    std: t.exposeFloat('std', { nullable: true, description: 'Standard deviation; null for texts.' }),
    top: t.field({
      type: [ValueCount],
      nullable: true,
      description: 'The most frequent values; null for numbers.',
      resolve: ({ top }) => top,
    }),
  }),
});

export const DatasetColumn = builder.objectRef<StoredColumn>('DatasetColumn').implement({
  description: 'A column of a dataset version.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name in the header, or c0, c1, ... where there is none.' }),
    kind: t.expose('kind', { type: ColumnKindEnum, description: 'What its cells are.' }),
    role: t.expose('role', { type: ColumnRoleEnum, description: 'What it is for.' }),
    inferred: t.exposeBoolean('inferred', {
      description: 'Whether the kind was inferred; false = the commit said it.',
    }),
    shape: t.field({
      type: ['Int'],
      nullable: true,
      description: 'TENSOR: what the numbers of each row are; null for other kinds.',
      resolve: ({ shape }) => shape ?? null,
    }),
    vocabulary: t.int({
      nullable: true,
      description: 'TOKENS: the largest id + 1; null for other kinds.',
      resolve: ({ vocabulary }) => vocabulary ?? null,
    }),
    maxLength: t.int({
      nullable: true,
      description: 'TOKENS: length of the longest sequence; null for other kinds.',
      resolve: ({ maxLength }) => maxLength ?? null,
    }),
    reason: t.exposeString('reason', { nullable: true, description: 'Why it is not read; null where it is.' }),
    values: t.field({
      type: [ValueRenameType],
      description: 'Values that the commit renamed.',
      resolve: ({ values }) => values,
    }),
    profile: t.field({
      type: ColumnProfile,
      description: 'What its cells are like.',
      resolve: ({ profile }) => profile,
    }),
  }),
});

export const LabelBalance = builder.objectRef<NonNullable<StoredBalance>[number]>('LabelBalance').implement({
  description: 'How many rows have a label.',
  fields: (t) => ({
    label: t.exposeString('label', { description: 'The label.' }),
    count: t.exposeInt('count', { description: 'Rows that have it.' }),
  }),
});

export const DatasetSplit = builder.objectRef<StoredSplit>('DatasetSplit').implement({
  description: 'Which rows train, which judge while training, and which are held out for evaluation.',
  fields: (t) => ({
    spec: t.expose('spec', { type: 'JSON', description: 'How it was drawn, defaults filled in.' }),
    digest: t.exposeString('digest', { description: 'sha256 of the part of every row.' }),
    train: t.int({ description: 'Rows of TRAIN.', resolve: ({ counts }) => counts.TRAIN }),
    validation: t.int({ description: 'Rows of VALIDATION.', resolve: ({ counts }) => counts.VALIDATION }),
    test: t.int({ description: 'Rows of TEST.', resolve: ({ counts }) => counts.TEST }),
  }),
});

const FindingSeverity = builder.enumType('FindingSeverity', {
  description: 'How much a finding matters.',
  values: {
    WARNING: { description: 'Look at it: results may suffer.' },
    NOTE: { description: 'Good to know.' },
  } as const,
});

export const DatasetFinding = builder.objectRef<StoredFinding>('DatasetFinding').implement({
  description: 'Something worth knowing about the data that did not stop the commit.',
  fields: (t) => ({
    code: t.exposeString('code', { description: 'What it is, for programs.' }),
    severity: t.expose('severity', { type: FindingSeverity, description: 'How much it matters.' }),
    message: t.exposeString('message', { description: 'What it is, for people.' }),
    column: t.exposeString('column', { nullable: true, description: 'The column it is about, if it is about one.' }),
    count: t.exposeInt('count', { nullable: true, description: 'Rows or cells it is about, if it counts any.' }),
  }),
});

export const DatasetSource = builder.objectRef<StoredSource>('DatasetSource').implement({
  description: 'A file that the version was parsed from.',
  fields: (t) => ({
    filename: t.exposeString('filename', { description: 'Its name as it was uploaded.' }),
    digest: t.exposeString('digest', { description: 'sha256 of its bytes.' }),
    byteLength: t.field({
      type: 'BigInt',
      description: 'Its size.',
      resolve: ({ byteLength }) => BigInt(byteLength),
    }),
  }),
});
