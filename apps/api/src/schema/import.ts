/** Importing models: the mutation, what its worker calls at the end, and what it found, as versions show it. */
import { builder } from '../builder.ts';
import { ImportReport } from '../contract.ts';
import { CompleteImportInput, completeImport } from '../domain/complete-import.ts';
import { ImportModelVersionInput, importModelVersion } from '../domain/import-model.ts';
import { payloadMutation } from './mutation.ts';

const TensorInput = builder.inputType('TensorInput', {
  description: 'A tensor that a model takes or gives.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Its name in the file.' }),
    datatype: t.string({
      required: true,
      description: 'Its element type by the Open Inference Protocol: FP32, INT64, ...',
    }),
    shape: t.intList({ required: true, description: 'Its sizes; -1 = any.' }),
  }),
});

const SignatureInput = builder.inputType('SignatureInput', {
  description: 'What the model is expected to take and give; a file with another signature is refused.',
  fields: (t) => ({
    inputs: t.field({ type: [TensorInput], description: 'All inputs; not compared when omitted.' }),
    outputs: t.field({ type: [TensorInput], description: 'All outputs; not compared when omitted.' }),
  }),
});

const ActivationEnum = builder.enumType('ImportActivation', {
  description: "What makes probabilities of an imported model's output.",
  values: {
    NONE: { description: 'Nothing: they are probabilities already, or values.' },
    SOFTMAX: { description: 'Softmax over the classes.' },
    SIGMOID: { description: 'The sigmoid of one number: the probability of the second class.' },
  } as const,
});

const PreprocessingInput = builder.inputType('ImportPreprocessingInput', {
  description: "How rows become the model's input, and its output a prediction.",
  fields: (t) => ({
    columns: t.stringList({
      required: true,
      description: "Numeric columns in the order of the input's last axis, or the one TENSOR column that is the input.",
    }),
    input: t.string({ description: 'The input that takes them; where there is one, that.' }),
    output: t.string({ description: 'The output that predicts; where one fits, that.' }),
    mean: t.floatList({ description: 'Subtracted first: one number, or one per column; nothing when omitted.' }),
    scale: t.floatList({ description: 'Divided by then: one number, or one per column; nothing when omitted.' }),
    activation: t.field({ type: ActivationEnum, description: 'NONE when omitted.' }),
  }),
});

payloadMutation('importModelVersion', {
  description:
    'Makes an uploaded ONNX file the next version of a model: checked, converted where that is honest, and tried in ' +
    "the edge's own runtime. Waits for the end; a run that has not ended in time comes alone, without an " +
    'error: follow it. A refusal is a userError with the exact reason, and the run has it too.',
  scope: 'write',
  input: (t) => ({
    modelName: t.string({ required: true, description: 'The model; made when there is none of that name.' }),
    uploadToken: t.string({ required: true, description: 'The uploaded ONNX file (stageUpload).' }),
    signature: t.field({ type: SignatureInput, description: 'What it is expected to take and give.' }),
    labels: t.stringList({ description: "Names of the classes, in the order of the output's numbers." }),
    positiveClass: t.string({
      description: "Of two classes the one that the threshold speaks of; the dataset's, or the last, when omitted.",
    }),
    threshold: t.float({
      description: 'The least probability of the positive class that makes it the label, 0 to 1; 0.5 when omitted.',
    }),
    preprocessing: t.field({
      type: PreprocessingInput,
      description: 'With it the version takes rows by column name, like trained ones; without it tensors by name.',
    }),
    evaluateOn: t.id({
      description: 'A dataset version on whose TEST rows it is evaluated; its columns and classes must be those.',
    }),
    waitSeconds: t.float({ description: 'How long to wait for the end, 0-60; 60 when omitted.' }),
    idempotencyKey: t.string({ description: 'Sent twice, the same import.' }),
  }),
  validate: ImportModelVersionInput,
  resolve: (input, ctx) => importModelVersion(ctx, ctx.caller, input, ctx.signal),
  payload: (t) => ({
    run: t.prismaField({
      type: 'Run',
      nullable: true,
      description: 'The run that imports, of kind IMPORT; also beside an error that it ended with.',
      resolve: (query, { runId }, _args, ctx) =>
        runId ? ctx.prisma.run.findUnique({ ...query, where: { id: runId } }) : null,
    }),
    modelVersion: t.prismaField({
      type: 'ModelVersion',
      nullable: true,
      description: 'The version; null when it was refused, and while the run goes on.',
      resolve: (query, { modelVersionId }, _args, ctx) =>
        modelVersionId ? ctx.prisma.modelVersion.findUnique({ ...query, where: { id: modelVersionId } }) : null,
    }),
  }),
});

payloadMutation('completeImport', {
  description: 'Turns an import into the next version of its model; the same again gives the same version.',
  scope: 'train',
  input: (t) => ({
    runId: t.id({ required: true, description: 'The claimed run.' }),
    attempt: t.int({ required: true, description: 'The attempt of the claim; an older one is refused.' }),
    artifactToken: t.string({ required: true, description: 'The uploaded artifact.' }),
    manifest: t.field({ type: 'JSON', required: true, description: 'Manifest or TensorManifest.' }),
    report: t.field({ type: 'JSON', required: true, description: 'ImportReport: what was found and changed.' }),
    predictionsToken: t.string({ description: 'Uploaded predictions of the held-out rows, where there are any.' }),
    wasmDigest: t.string({ required: true, description: 'sha256 of the WASM that it was tried in.' }),
    edgeBuild: t.string({ required: true, description: 'The edge build that it was tried with.' }),
  }),
  validate: CompleteImportInput,
  resolve: (input, ctx) => completeImport(ctx, ctx.caller, input),
  payload: (t) => ({
    modelVersion: t.prismaField({
      type: 'ModelVersion',
      nullable: true,
      description: 'The version that the import became.',
      resolve: (query, { modelVersionId }, _args, ctx) =>
        modelVersionId ? ctx.prisma.modelVersion.findUnique({ ...query, where: { id: modelVersionId } }) : null,
    }),
  }),
});

const TensorKindEnum = builder.enumType('TensorKind', {
  description: 'Which side of a model a tensor is on.',
  values: { INPUT: { description: 'It goes in.' }, OUTPUT: { description: 'It comes out.' } } as const,
});

const ShapeType = builder.objectRef<ImportReport['shapes'][number]>('ImportedShape').implement({
  description: 'A tensor of an imported model, as its file declares it and as it was found by running.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name.' }),
    kind: t.expose('kind', { type: TensorKindEnum, description: 'Input or output.' }),
    declared: t.exposeIntList('declared', {
      nullable: true,
      description: 'By the file, -1 = any; null: not declared.',
    }),
    found: t.exposeIntList('found', { description: 'By running it on inputs of several sizes, -1 = any.' }),
  }),
});

/** What importing found and changed. */
export const ImportReportType = builder.objectRef<ImportReport>('ImportReport').implement({
  description: 'What importing a model found and changed.',
  fields: (t) => ({
    filename: t.exposeString('filename', { description: 'Name of the file that came.' }),
    sourceDigest: t.exposeString('sourceDigest', { description: 'sha256 of the file that came, hex.' }),
    format: t.exposeString('format', { description: 'How the artifact is stored: ONNX or ORT.' }),
    sourceOpset: t.int({ description: 'Operator set of the file that came.', resolve: ({ opset }) => opset.source }),
    servedOpset: t.int({ description: 'Operator set of what is served.', resolve: ({ opset }) => opset.served }),
    changes: t.exposeStringList('changes', { description: 'What was changed, for people; nothing else was.' }),
    heapBytes: t.field({
      type: 'BigInt',
      description: "Memory that it takes in the edge's runtime once it is loaded and has run.",
      resolve: ({ heapBytes }) => BigInt(heapBytes),
    }),
    shapes: t.field({
      type: [ShapeType],
      description: 'Inputs and outputs: published shapes can be wrong.',
      resolve: ({ shapes }) => shapes,
    }),
  }),
});

builder.prismaObjectFields('ModelVersion', (t) => ({
  imported: t.field({
    type: ImportReportType,
    nullable: true,
    description: 'What importing found and changed; null for versions that were trained here.',
    select: { imported: true },
    resolve: ({ imported }) => ImportReport.nullable().parse(imported),
  }),
}));
