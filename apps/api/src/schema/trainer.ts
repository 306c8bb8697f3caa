/** What trainers call: claim a run, keep it, report on it, end it. */
import { builder } from '../builder.ts';
import {
  FailRunInput,
  failRun,
  HeartbeatRunInput,
  heartbeatRun,
  ReportMetricsInput,
  reportMetrics,
  SaveCheckpointInput,
  saveCheckpoint,
} from '../domain/attempt.ts';
import { type Claim, ClaimRunInput, claimRun } from '../domain/claim.ts';
import { CompleteRunInput, completeRun } from '../domain/complete-run.ts';
import { toGlobalId } from '../domain/ids.ts';
import { ReportRungInput, reportRung } from '../domain/rung.ts';
import { RunKindEnum } from './enums.ts';
import { payloadMutation } from './mutation.ts';

const ClaimCheckpoint = builder.objectRef<NonNullable<Claim['checkpoint']>>('ClaimCheckpoint').implement({
  description: 'The state to go on from.',
  fields: (t) => ({
    url: t.exposeString('url', { description: 'A GET without a key answers its bytes, for an hour.' }),
    step: t.exposeInt('step', { description: 'Where in training it was taken.' }),
  }),
});

const ClaimType = builder.objectRef<Claim>('Claim').implement({
  description: "A run that is the trainer's until the lease runs out, and all that is needed to work on it.",
  fields: (t) => ({
    runId: t.id({ description: 'The run.', resolve: ({ runId }) => toGlobalId('Run', runId) }),
    attempt: t.exposeInt('attempt', { description: 'Names this claim in every later write.' }),
    kind: t.expose('kind', { type: RunKindEnum, description: 'What is to be done.' }),
    leaseSeconds: t.exposeInt('leaseSeconds', { description: 'The lease; every write prolongs it.' }),
    spec: t.expose('spec', { type: 'JSON', description: 'RunSpec, or ImportSpec of an IMPORT.' }),
    sourceUrl: t.exposeString('sourceUrl', {
      nullable: true,
      description: 'IMPORT: a GET without a key answers the model that came, for an hour. Else null.',
    }),
    datasetUrl: t.exposeString('datasetUrl', {
      nullable: true,
      description: 'A GET without a key answers the table, for an hour; null for an IMPORT without data.',
    }),
    columns: t.expose('columns', { type: 'JSON', description: 'The columns of the dataset version but the target.' }),
    missingValues: t.exposeStringList('missingValues', { description: 'Cell texts that mean missing.' }),
    checkpoint: t.field({
      type: ClaimCheckpoint,
      nullable: true,
      description: 'The state to go on from; null = start over.',
      resolve: ({ checkpoint }) => checkpoint,
    }),
    rungs: t.exposeIntList('rungs', {
      description: 'Epochs after which to ask reportRung whether to go on; none outside successive halving.',
    }),
  }),
});

const RUN = 'The claimed run.';
const ATTEMPT = 'The attempt of the claim; an older one is refused with STALE_ATTEMPT.';

payloadMutation('claimRun', {
  description: 'Waits for a run that this trainer can work on and takes it.',
  scope: 'train',
  input: (t) => ({
    worker: t.string({ required: true, description: 'Who claims, for people.' }),
    engines: t.stringList({ required: true, description: 'Engines that it has, e.g. ORT_CPU.' }),
    kinds: t.field({ type: [RunKindEnum], description: 'What it does; [TRAIN] when omitted. Imports need no engine.' }),
    waitSeconds: t.float({ description: 'How long to wait for one, 0-20; 0 when omitted.' }),
  }),
  validate: ClaimRunInput,
  resolve: async (input, ctx) => ({ claim: await claimRun(ctx, ctx.caller, input, ctx.signal) }),
  payload: (t) => ({
    claim: t.field({
      type: ClaimType,
      nullable: true,
      description: 'The claimed run; null when none came.',
      resolve: ({ claim }) => claim,
    }),
  }),
});

payloadMutation('heartbeatRun', {
  description: 'Keeps the lease of a run.',
  scope: 'train',
  input: (t) => ({
    runId: t.id({ required: true, description: RUN }),
    attempt: t.int({ required: true, description: ATTEMPT }),
    progress: t.float({ description: 'Share of the budget that is used, 0 to 1.' }),
  }),
  validate: HeartbeatRunInput,
  resolve: (input, ctx) => heartbeatRun(ctx, ctx.caller, input),
  payload: (t) => ({
    ok: t.boolean({ nullable: true, description: 'True: the run is still yours.', resolve: ({ ok }) => ok }),
    cancelRequested: t.boolean({
      nullable: true,
      description: 'Whether its owner wants it canceled: stop, then failRun with code CANCELED.',
      resolve: ({ cancelRequested }) => cancelRequested,
    }),
  }),
});

const MetricPointInput = builder.inputType('MetricPointInput', {
  description: 'One value of one metric.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Which metric, e.g. train/loss.' }),
    step: t.int({ required: true, description: 'Where in training.' }),
    value: t.float({ required: true, description: 'The value; no NaN and no infinity.' }),
  }),
});

payloadMutation('reportMetrics', {
  description: 'Stores values of metrics; a batch may be sent again.',
  scope: 'train',
  input: (t) => ({
    runId: t.id({ required: true, description: RUN }),
    attempt: t.int({ required: true, description: ATTEMPT }),
    points: t.field({ type: [MetricPointInput], required: true, description: 'At most 5,000 values.' }),
    progress: t.float({ description: 'Share of the budget that is used, 0 to 1.' }),
    engine: t.string({ description: 'What computes.' }),
    device: t.string({ description: 'On what.' }),
    score: t.float({ description: 'The objective on VALIDATION at its best so far.' }),
  }),
  validate: ReportMetricsInput,
  resolve: (input, ctx) => reportMetrics(ctx, ctx.caller, input),
  payload: (t) => ({
    ok: t.boolean({ nullable: true, description: 'True: stored.', resolve: ({ ok }) => ok }),
    cancelRequested: t.boolean({
      nullable: true,
      description: 'Whether its owner wants it canceled.',
      resolve: ({ cancelRequested }) => cancelRequested,
    }),
  }),
});

payloadMutation('reportRung', {
  description: 'Says how a trial of successive halving stands after so many epochs, and asks whether it goes on.',
  scope: 'train',
  input: (t) => ({
    runId: t.id({ required: true, description: RUN }),
    attempt: t.int({ required: true, description: ATTEMPT }),
    epoch: t.int({ required: true, description: 'Epochs done: one of the rungs of the claim.' }),
    score: t.float({ required: true, description: 'The objective on VALIDATION at its best so far.' }),
  }),
  validate: ReportRungInput,
  resolve: (input, ctx) => reportRung(ctx, ctx.caller, input),
  payload: (t) => ({
    proceeds: t.boolean({
      nullable: true,
      description: 'False: the run has ended, CANCELED as STOPPED_EARLY; stop working on it.',
      resolve: ({ proceeds }) => proceeds,
    }),
  }),
});

payloadMutation('saveCheckpoint', {
  description: 'Names uploaded bytes as the state to go on from, should this trainer die.',
  scope: 'train',
  input: (t) => ({
    runId: t.id({ required: true, description: RUN }),
    attempt: t.int({ required: true, description: ATTEMPT }),
    step: t.int({ required: true, description: 'Where in training it was taken.' }),
    uploadToken: t.string({ required: true, description: 'The uploaded state.' }),
  }),
  validate: SaveCheckpointInput,
  resolve: (input, ctx) => saveCheckpoint(ctx, ctx.caller, input),
  payload: (t) => ({
    ok: t.boolean({ nullable: true, description: 'True: kept.', resolve: ({ ok }) => ok }),
  }),
});

payloadMutation('completeRun', {
  description: 'Turns a run into the next version of its model; the same again gives the same version.',
  scope: 'train',
  input: (t) => ({
    runId: t.id({ required: true, description: RUN }),
    attempt: t.int({ required: true, description: ATTEMPT }),
    artifactToken: t.string({ required: true, description: 'The uploaded artifact.' }),
    predictionsToken: t.string({ required: true, description: 'Uploaded predictions of the held-out rows.' }),
    manifest: t.field({ type: 'JSON', required: true, description: 'Manifest: how raw rows become a prediction.' }),
    parity: t.field({ type: 'JSON', required: true, description: 'How training engine and edge compare.' }),
    wasmDigest: t.string({ required: true, description: 'sha256 of the WASM that predicted.' }),
    edgeBuild: t.string({ required: true, description: 'The edge build that predicted.' }),
    score: t.float({ description: 'The objective on VALIDATION of what is published.' }),
  }),
  validate: CompleteRunInput,
  resolve: (input, ctx) => completeRun(ctx, ctx.caller, input),
  payload: (t) => ({
    modelVersion: t.prismaField({
      type: 'ModelVersion',
      nullable: true,
      description: 'The version that the run became.',
      resolve: (query, { modelVersionId }, _args, ctx) =>
        modelVersionId ? ctx.prisma.modelVersion.findUnique({ ...query, where: { id: modelVersionId } }) : null,
    }),
  }),
});

payloadMutation('failRun', {
  description: 'Ends a run without a version.',
  scope: 'train',
  input: (t) => ({
    runId: t.id({ required: true, description: RUN }),
    attempt: t.int({ required: true, description: ATTEMPT }),
    code: t.string({ required: true, description: 'Why, for programs: DIVERGED, ...; CANCELED ends it as CANCELED.' }),
    message: t.string({ required: true, description: 'Why, for people.' }),
  }),
  validate: FailRunInput,
  resolve: (input, ctx) => failRun(ctx, ctx.caller, input),
  payload: (t) => ({
    run: t.prismaField({
      type: 'Run',
      nullable: true,
      description: 'The run, ended.',
      resolve: (query, { runId }, _args, ctx) =>
        runId ? ctx.prisma.run.findUnique({ ...query, where: { id: runId } }) : null,
    }),
  }),
});
