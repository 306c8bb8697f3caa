/** Dataset and DatasetVersion: what there is to learn from. */
import { builder, page } from '../builder.ts';
import { projectOf } from '../context.ts';
import { CreateDatasetInput, createDataset } from '../domain/dataset.ts';
import { StoredBalance, StoredColumns, StoredFindings, StoredSources, StoredSplit } from '../domain/dataset-columns.ts';
import { lookupId, uuidOrNil } from '../domain/ids.ts';
import { DatasetColumn, DatasetFinding, DatasetSource, DatasetSplit, LabelBalance } from './dataset-version-json.ts';
import { TaskEnum } from './enums.ts';
import { payloadMutation } from './mutation.ts';

export const DataFormatEnum = builder.enumType('DataFormat', {
  description: 'What the files are; gzip is recognised by content.',
  values: {
    CSV: { description: 'Separated values; delimiter, header and quotes are found out.' },
    JSONL: { description: 'One JSON object per line; values may be arrays of numbers.' },
    IDX: {
      description:
        'Two files in the format of MNIST, in any order: tensors become the TENSOR column "image", labels the column ' +
        '"label".',
    },
  } as const,
});

builder.prismaNode('Dataset', {
  description: 'A name for data; the data itself is in its versions.',
  id: { field: 'id', description: 'Global id.' },
  nullable: true,
  findUnique: (id, ctx) => ({ id: uuidOrNil(id), projectId: projectOf(ctx.caller) }),
  select: { id: true },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'For people; need not be unique.' }),
    description: t.exposeString('description', { nullable: true, description: 'What it is, for people.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
    versions: t.relatedConnection('versions', {
      description: 'Its versions, newest first.',
      cursor: 'id',
      totalCount: true,
      complexity: page,
      query: { orderBy: { number: 'desc' } },
    }),
  }),
});

builder.prismaNode('DatasetVersion', {
  description: 'One parse of uploaded files: immutable, named by its digest, with its split.',
  id: { field: 'id', description: 'Global id.' },
  nullable: true,
  findUnique: (id, ctx) => ({ id: uuidOrNil(id), dataset: { projectId: projectOf(ctx.caller) } }),
  select: { id: true },
  fields: (t) => ({
    number: t.exposeInt('number', { description: 'Rises by one per version of the data set.' }),
    digest: t.exposeString('digest', { description: 'sha256 of the canonical table: equal data, equal digest.' }),
    byteLength: t.expose('byteLength', { type: 'BigInt', description: 'Size of the canonical table.' }),
    format: t.expose('format', { type: DataFormatEnum, description: 'What the files were.' }),
    target: t.exposeString('target', { description: 'Name of the column that is predicted.' }),
    task: t.expose('task', { type: TaskEnum, description: 'What experiments do with it unless they say otherwise.' }),
    tasks: t.expose('tasks', { type: [TaskEnum], description: 'What experiments can do with it.' }),
    rowCount: t.exposeInt('rowCount', { description: 'Rows that were kept.' }),
    classes: t.stringList({
      nullable: true,
      description: 'Labels in order of class index; null where there are too many for classes.',
      select: { classes: true },
      resolve: ({ classes }) => (classes.length ? classes : null),
    }),
    columns: t.field({
      type: [DatasetColumn],
      description: 'Every column in file order, the target among them.',
      select: { columns: true },
      resolve: ({ columns }) => StoredColumns.parse(columns),
    }),
    balance: t.field({
      type: [LabelBalance],
      nullable: true,
      description: 'Rows per label; null where there are no classes.',
      select: { balance: true },
      resolve: ({ balance }) => StoredBalance.parse(balance),
    }),
    split: t.field({
      type: DatasetSplit,
      description: 'Which rows are for what.',
      select: { split: true },
      resolve: ({ split }) => StoredSplit.parse(split),
    }),
    findings: t.field({
      type: [DatasetFinding],
      description: 'What the parse found worth knowing.',
      select: { findings: true },
      resolve: ({ findings }) => StoredFindings.parse(findings),
    }),
    missingValues: t.exposeStringList('missingValues', {
      description: 'Cell texts that mean missing, beside empty cells.',
    }),
    sources: t.field({
      type: [DatasetSource],
      description: 'The files it was parsed from.',
      select: { sources: true },
      resolve: ({ sources }) => StoredSources.parse(sources),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was committed.' }),
    dataset: t.relation('dataset', { description: 'The data set that it is a version of.' }),
  }),
});

builder.queryFields((t) => ({
  datasets: t.prismaConnection({
    type: 'Dataset',
    description: 'The data sets of the project, newest first.',
    authScopes: { scope: 'read' },
    cursor: 'id',
    complexity: page,
    totalCount: (_root, _args, ctx) => ctx.prisma.dataset.count({ where: { projectId: projectOf(ctx.caller) } }),
    resolve: (query, _root, _args, ctx) =>
      ctx.prisma.dataset.findMany({
        ...query,
        where: { projectId: projectOf(ctx.caller) },
        orderBy: { id: 'desc' },
      }),
  }),
  dataset: t.prismaField({
    type: 'Dataset',
    nullable: true,
    description: 'A data set by its id; null where there is none.',
    authScopes: { scope: 'read' },
    args: { id: t.arg.id({ required: true, description: 'Global id.' }) },
    resolve: (query, _root, { id }, ctx) =>
      ctx.prisma.dataset.findFirst({
        ...query,
        where: { id: lookupId('Dataset', id), projectId: projectOf(ctx.caller) },
      }),
  }),
}));

payloadMutation('createDataset', {
  description: 'Creates a data set without versions.',
  scope: 'write',
  input: (t) => ({
    name: t.string({ required: true, description: 'For people, 1-200 characters; need not be unique.' }),
    description: t.string({ description: 'What it is, for people.' }),
    idempotencyKey: t.string({ description: 'The same key and input again answer with the same data set.' }),
  }),
  validate: CreateDatasetInput,
  resolve: (input, ctx) => createDataset(ctx, ctx.caller, input),
  payload: (t) => ({
    dataset: t.prismaField({
      type: 'Dataset',
      nullable: true,
      description: 'The new data set.',
      resolve: (query, { datasetId }, _args, ctx) =>
        datasetId ? ctx.prisma.dataset.findUnique({ ...query, where: { id: datasetId } }) : null,
    }),
  }),
});
