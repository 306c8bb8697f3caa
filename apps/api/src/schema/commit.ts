/** commitDatasetVersion: from uploads to an immutable dataset version. */
import { builder } from '../builder.ts';
import { CommitDatasetVersionInput, commitDatasetVersion } from '../domain/dataset-version.ts';
import { DataFormatEnum } from './dataset.ts';
import { ColumnKindEnum } from './dataset-version-json.ts';
import { payloadMutation } from './mutation.ts';

const ValueRenameInput = builder.inputType('ValueRenameInput', {
  description: 'A value to replace before anything else reads it, e.g. ">50K." by ">50K".',
  fields: (t) => ({
    from: t.string({ required: true, description: 'The trimmed text of the cell; "" = empty cells.' }),
    to: t.string({ required: true, description: 'What stands for it from then on.' }),
  }),
});

const ColumnInput = builder.inputType('ColumnInput', {
  description: 'What the commit says of a column instead of letting it be inferred.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Its name.' }),
    kind: t.field({ type: ColumnKindEnum, description: 'Its kind; inferred when omitted.' }),
    values: t.field({ type: [ValueRenameInput], description: 'Values to rename.' }),
    from: t.string({
      description:
        'TENSOR: folds numeric columns into this one, in order of the numbers in their names; * stands for any ' +
        'characters, e.g. "p*". They are columns no more.',
    }),
    shape: t.intList({
      description: 'TENSOR: what the numbers of each row are, channels first, e.g. [1, 8, 8]; their list when omitted.',
    }),
  }),
});

const SplitPartEnum = builder.enumType('SplitPart', {
  description: 'What rows are for.',
  values: {
    TRAIN: { description: 'The network learns from them.' },
    VALIDATION: { description: 'They judge while training: early stopping, best checkpoint, threshold.' },
    TEST: { description: 'Held out: every published metric is computed on them.' },
  } as const,
});

const SplitInput = builder.inputType('SplitInput', {
  description:
    'How rows are divided. At most one of column, testEvery and files; without them at random: 70/15/15, seeded, ' +
    'stratified, exact duplicates kept together.',
  fields: (t) => ({
    train: t.float({ description: 'Share of TRAIN, for a random split.' }),
    validation: t.float({ description: 'Share of VALIDATION; with column, testEvery or files: of the rest.' }),
    test: t.float({ description: 'Share of TEST, for a random split.' }),
    seed: t.int({ description: 'Another seed, another draw; 0 when omitted.' }),
    stratify: t.boolean({ description: 'Keep the balance of the labels in every part; true when omitted.' }),
    column: t.string({ description: 'A column whose cells say train, validation or test.' }),
    testEvery: t.int({
      description: 'TEST = rows whose 0-based index among the data records is divisible by this, e.g. 5.',
    }),
    files: t.field({ type: [SplitPartEnum], description: 'One part per upload, in order of the tokens.' }),
  }),
});

const EncodingEnum = builder.enumType('TextEncoding', {
  description: 'How bytes are text.',
  values: {
    AUTO: { description: 'Found out: byte order mark, else UTF-8, else Windows-1252.' },
    UTF8: { description: 'UTF-8.' },
    UTF16LE: { description: 'UTF-16, little-endian.' },
    UTF16BE: { description: 'UTF-16, big-endian.' },
    WINDOWS1252: { description: 'Windows-1252, also known as Latin-1.' },
  } as const,
});

const QuotesEnum = builder.enumType('CsvQuotes', {
  description: 'What a quotation mark means in CSV.',
  values: {
    AUTO: { description: 'Found out.' },
    QUOTED: { description: 'It encloses a cell.' },
    LITERAL: { description: 'It is a character like others.' },
  } as const,
});

payloadMutation('commitDatasetVersion', {
  description:
    'Parses uploaded files into a new immutable version; the same content again answers with the version there is. ' +
    'What is wrong with the data comes as userErrors; what is only odd, as findings of the version.',
  scope: 'write',
  input: (t) => ({
    datasetId: t.id({ required: true, description: 'The data set that it becomes a version of.' }),
    uploadTokens: t.stringList({
      required: true,
      description: 'Tokens of stageUpload, 1-16; files are joined in order. IDX: the two files of a pair.',
    }),
    format: t.field({ type: DataFormatEnum, required: true, description: 'What the files are.' }),
    target: t.string({ required: true, description: 'The column to predict: its name, or LAST.' }),
    columns: t.field({ type: [ColumnInput], description: 'What to know of columns; the others are inferred.' }),
    split: t.field({ type: SplitInput, description: 'How rows are divided; 70/15/15 when omitted.' }),
    encoding: t.field({ type: EncodingEnum, description: 'How bytes are text; AUTO when omitted.' }),
    delimiter: t.string({ description: 'CSV: one of , ; | or tab; found out when omitted.' }),
    header: t.boolean({ description: 'CSV: whether the first record names the columns; found out when omitted.' }),
    quotes: t.field({ type: QuotesEnum, description: 'CSV: what quotation marks mean; AUTO when omitted.' }),
  }),
  validate: CommitDatasetVersionInput,
  resolve: (input, ctx) => commitDatasetVersion(ctx, ctx.caller, input),
  payload: (t) => ({
    datasetVersion: t.prismaField({
      type: 'DatasetVersion',
      nullable: true,
      description: 'The version.',
      resolve: (query, { datasetVersionId }, _args, ctx) =>
        datasetVersionId ? ctx.prisma.datasetVersion.findUnique({ ...query, where: { id: datasetVersionId } }) : null,
    }),
  }),
});
