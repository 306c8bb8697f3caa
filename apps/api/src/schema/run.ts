/** Run: one attempt to make a model version, and how it is going. */
import { builder } from '../builder.ts';
import { projectOf } from '../context.ts';
import { lookupId, uuidOrNil } from '../domain/ids.ts';
import { waitingFor } from '../domain/offers.ts';
import { cancelRun, followRun, RunInput, retryRun } from '../domain/run.ts';
import type { MetricPoint, MetricSeries } from '../domain/run-metrics.ts';
import { RunKindEnum } from './enums.ts';
import { payloadMutation } from './mutation.ts';

const RunStatusEnum = builder.enumType('RunStatus', {
  description: 'Where a run stands.',
  values: {
    QUEUED: { description: 'Waits for a trainer.' },
    RUNNING: { description: 'A trainer works on it.' },
    SUCCEEDED: { description: 'It became a model version.' },
    FAILED: { description: 'It ended without a version; `error` says why.' },
    CANCELED: { description: 'Its owner ended it, or its search did (errorCode STOPPED_EARLY).' },
  } as const,
});

const MetricPointType = builder.objectRef<MetricPoint>('MetricPoint').implement({
  description: 'One value of a metric.',
  fields: (t) => ({
    step: t.exposeInt('step', { complexity: 0, description: 'Where in training.' }),
    value: t.exposeFloat('value', { complexity: 0, description: 'The value.' }),
    time: t.expose('time', { type: 'DateTime', complexity: 0, description: 'When it was reported.' }),
  }),
});

const MetricSeriesType = builder.objectRef<MetricSeries>('MetricSeries').implement({
  description: 'One metric of a run over its steps.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name, e.g. train/loss.' }),
    points: t.field({
      type: [MetricPointType],
      complexity: 1,
      description: 'Its points, steps rising, thinned to the number asked for; the last is always among them.',
      resolve: ({ points }) => points,
    }),
  }),
});

builder.prismaNode('Run', {
  description: 'One attempt to make a model version: a complete specification, a seed, and how it goes.',
  id: { field: 'id', description: 'Global id.' },
  nullable: true,
  findUnique: (id, ctx) => ({ id: uuidOrNil(id), projectId: projectOf(ctx.caller) }),
  select: { id: true },
  fields: (t) => ({
    status: t.expose('status', { type: RunStatusEnum, description: 'Where it stands.' }),
    attempt: t.exposeInt('attempt', { description: 'How often a trainer has claimed it.' }),
    engine: t.exposeString('engine', { nullable: true, description: 'What computes; null until a trainer says so.' }),
    device: t.exposeString('device', { nullable: true, description: 'On what; null until a trainer says so.' }),
    trainer: t.exposeString('leaseOwner', {
      nullable: true,
      description: 'Which trainer works or worked on it; null until one does.',
    }),
    progress: t.exposeFloat('progress', { description: 'Share of the budget that is used, 0 to 1.' }),
    error: t.string({
      nullable: true,
      description:
        'Why it failed, or why its search stopped it, for people: "DIVERGED: what happened and what to do"; else null.',
      select: { errorCode: true, errorMessage: true },
      resolve: ({ errorCode, errorMessage }) => errorCode && `${errorCode}: ${errorMessage ?? ''}`,
    }),
    errorCode: t.exposeString('errorCode', {
      nullable: true,
      description: 'The same for programs: DIVERGED, OUT_OF_MEMORY, LEASE_EXPIRED, STOPPED_EARLY, ...',
    }),
    seed: t.field({
      type: 'BigInt',
      description: 'Decides everything random.',
      select: { seed: true },
      resolve: ({ seed }) => seed,
    }),
    spec: t.field({
      type: 'JSON',
      description: 'The complete RunSpec, or ImportSpec of an IMPORT: everything that decides its bytes.',
      select: { spec: true },
      resolve: ({ spec }) => spec,
    }),
    specDigest: t.exposeString('specDigest', { description: 'sha256 of the canonical JSON of the spec.' }),
    cancelRequestedAt: t.expose('cancelRequestedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When its cancel was asked for; the trainer ends it within seconds.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was queued.' }),
    startedAt: t.expose('startedAt', { type: 'DateTime', nullable: true, description: 'When it was first claimed.' }),
    finishedAt: t.expose('finishedAt', { type: 'DateTime', nullable: true, description: 'When it ended.' }),
    modelVersion: t.relation('modelVersion', {
      nullable: true,
      description: 'What it became; null until it succeeds.',
    }),
    metrics: t.field({
      type: [MetricSeriesType],
      description: 'What the trainer measured, by name.',
      args: {
        names: t.arg.stringList({ description: 'Only these; all when omitted.' }),
        points: t.arg.int({ defaultValue: 200, description: 'Points per metric at most, 1-2000, thinned evenly.' }),
      },
      complexity: 5,
      select: { id: true },
      resolve: ({ id }, { names, points }, ctx) =>
        ctx.loaders.runMetrics.load(id, { names: names ?? null, points: Math.min(Math.max(points ?? 200, 1), 2000) }),
    }),
  }),
});

builder.prismaObjectFields('Run', (t) => ({
  kind: t.expose('kind', { type: RunKindEnum, description: 'What it does.' }),
  experiment: t.relation('experiment', {
    nullable: true,
    description: 'The question that it answers; null for an IMPORT.',
  }),
  waitingFor: t.string({
    nullable: true,
    description:
      'QUEUED: why no trainer has taken it yet, for people, as far as this API process is asked for work. Null where ' +
      'a trainer that can take it asks, and once it is taken.',
    select: { status: true, kind: true, projectId: true, spec: true },
    resolve: (run, _args, ctx) => waitingFor(ctx, run),
  }),
}));

builder.prismaObject('Checkpoint', {
  description: 'A saved state of a run.',
  fields: (t) => ({
    step: t.exposeInt('step', { description: 'Steps of the optimizer that it has behind it.' }),
    attempt: t.exposeInt('attempt', { description: 'The attempt that saved it.' }),
    byteLength: t.expose('byteLength', { type: 'BigInt', description: 'Its size.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was saved.' }),
  }),
});

builder.prismaObjectFields('Run', (t) => ({
  checkpoints: t.relation('checkpoints', {
    description: 'Saved states, the newest first: what a run goes on from when its trainer dies. At most two.',
    query: { orderBy: { step: 'desc' } },
  }),
}));

builder.prismaObjectFields('Run', (t) => ({
  parameterCount: t.exposeInt('parameterCount', {
    nullable: true,
    description: 'Trained numbers of its network, known before it starts; null for runs of before they were counted.',
  }),
  flops: t.expose('flops', {
    type: 'BigInt',
    nullable: true,
    description:
      'Operations of a forward pass over one row: a multiplication with its addition is two. Known before it ' +
      'starts; null for runs of before they were counted.',
  }),
}));

builder.queryField('run', (t) =>
  t.prismaField({
    type: 'Run',
    nullable: true,
    description: 'A run by its id; null where there is none.',
    authScopes: { scope: 'read' },
    args: { id: t.arg.id({ required: true, description: 'Global id.' }) },
    resolve: (query, _root, { id }, ctx) =>
      ctx.prisma.run.findFirst({
        ...query,
        where: { id: lookupId('Run', id), projectId: projectOf(ctx.caller) },
      }),
  }),
);

builder.subscriptionField('runUpdated', (t) =>
  t.prismaField({
    type: 'Run',
    description: 'The run as it is now, and again after every change, until it has ended.',
    authScopes: { scope: 'read' },
    args: { runId: t.arg.id({ required: true, description: 'Global id of the run.' }) },
    subscribe: (_root, { runId }, ctx) => followRun(ctx, ctx.caller, lookupId('Run', runId), ctx.signal),
    resolve: (query, id, _args, ctx) => ctx.prisma.run.findUniqueOrThrow({ ...query, where: { id: String(id) } }),
  }),
);

payloadMutation('cancelRun', {
  description: 'Ends a run: at once while it is queued, within seconds while it is running.',
  scope: 'write',
  input: (t) => ({ runId: t.id({ required: true, description: 'The run.' }) }),
  validate: RunInput,
  resolve: (input, ctx) => cancelRun(ctx, ctx.caller, input),
  payload: (t) => ({
    run: t.prismaField({
      type: 'Run',
      nullable: true,
      description: 'The run, CANCELED or with cancelRequestedAt.',
      resolve: (query, { runId }, _args, ctx) =>
        runId ? ctx.prisma.run.findUnique({ ...query, where: { id: runId } }) : null,
    }),
  }),
});

payloadMutation('retryRun', {
  description: 'Queues a FAILED or CANCELED run again: same specification, same seed.',
  scope: 'write',
  input: (t) => ({ runId: t.id({ required: true, description: 'The run.' }) }),
  validate: RunInput,
  resolve: (input, ctx) => retryRun(ctx, ctx.caller, input),
  payload: (t) => ({
    run: t.prismaField({
      type: 'Run',
      nullable: true,
      description: 'The run, QUEUED.',
      resolve: (query, { runId }, _args, ctx) =>
        runId ? ctx.prisma.run.findUnique({ ...query, where: { id: runId } }) : null,
    }),
  }),
});
