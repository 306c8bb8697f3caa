/** Ramp: a version's share of an endpoint that grows by a plan. */
import { builder, page } from '../builder.ts';
import { projectOf } from '../context.ts';
import { CancelRampInput, cancelRamp, type RampStep, StartRampInput, startRamp, stepsOf } from '../domain/ramp.ts';
import { payloadMutation } from './mutation.ts';
import { servedEndpoint } from './served-endpoint.ts';

const StatusEnum = builder.enumType('RampStatus', {
  description: 'Where a ramp stands.',
  values: {
    RUNNING: { description: 'It goes on when the time of its next step has come.' },
    FINISHED: { description: 'Its last step is served.' },
    CANCELED: { description: 'It was ended before its last step, by cancelRamp or by whoever changed the variants.' },
  } as const,
});

const StepType = builder.objectRef<RampStep>('RampStep').implement({
  description: 'A step of a ramp.',
  fields: (t) => ({
    share: t.exposeFloat('share', { description: 'Share of the requests, above 0 and at most 1.' }),
    seconds: t.exposeInt('seconds', { description: 'Seconds from this step to the next one.' }),
  }),
});

const RampType = builder.prismaObject('Ramp', {
  description: "A version's share of an endpoint that grows by a plan: each step is a revision.",
  select: { id: true, steps: true, step: true },
  fields: (t) => ({
    modelVersion: t.prismaField({
      type: 'ModelVersion',
      nullable: true,
      description: 'The version that gets more; the others keep their proportions.',
      select: { modelVersionId: true },
      resolve: (query, { modelVersionId }, _args, ctx) =>
        ctx.prisma.modelVersion.findUnique({ ...query, where: { id: modelVersionId } }),
    }),
    steps: t.field({ type: [StepType], description: 'The plan.', resolve: ({ steps }) => stepsOf(steps) }),
    step: t.exposeInt('step', { description: 'Index of the step that was served last.' }),
    share: t.float({
      description: 'The share of that step.',
      resolve: ({ steps, step }) => stepsOf(steps)[step]?.share ?? 0,
    }),
    status: t.expose('status', { type: StatusEnum, description: 'Where it stands.' }),
    revision: t.exposeInt('revision', { description: 'The revision that it wrote last.' }),
    nextAt: t.expose('nextAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the next step is served; null when there is none.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it began.' }),
    finishedAt: t.expose('finishedAt', { type: 'DateTime', nullable: true, description: 'When it ended.' }),
  }),
});

builder.prismaObjectFields('Endpoint', (t) => ({
  ramp: t.field({
    type: RampType,
    nullable: true,
    description: 'The newest ramp, running or not; null where there was none.',
    select: (_args, _ctx, nested) => ({ ramps: nested({ orderBy: { id: 'desc' }, take: 1 }) }),
    resolve: ({ ramps }) => ramps[0],
  }),
  ramps: t.relatedConnection('ramps', {
    cursor: 'id',
    complexity: page,
    description: 'Its ramps, newest first.',
    totalCount: true,
    query: { orderBy: { id: 'desc' } },
  }),
}));

const StepInput = builder.inputType('RampStepInput', {
  description: 'A step of a ramp.',
  fields: (t) => ({
    share: t.float({ required: true, description: 'Share of the requests, above 0 and at most 1.' }),
    seconds: t.int({
      required: true,
      description: 'Seconds from this step to the next one, at most 30 days; of no meaning in the last step.',
    }),
  }),
});

payloadMutation('startRamp', {
  description:
    "Lets a version's share of an endpoint grow by a plan. The first step is served when this returns, as after a " +
    'deploy; whoever changes the variants (deploy, undeploy, roll back, a guardrail) ends the ramp. RAMP_RUNNING: ' +
    'there is one already. NOTHING_TO_RAMP: no other version is deployed.',
  scope: 'write',
  input: (t) => ({
    endpoint: t.string({ required: true, description: 'The name of the endpoint.' }),
    modelVersionId: t.id({ required: true, description: 'The version, deployed there already or not.' }),
    steps: t.field({
      type: [StepInput],
      description: 'At most 50 steps of rising share; 0.01, 0.1, 0.5 and 1 with an hour between them when omitted.',
    }),
    idempotencyKey: t.string({ description: 'Repeats with the same key answer for the same ramp.' }),
  }),
  validate: StartRampInput,
  resolve: (input, ctx) => startRamp(ctx, projectOf(ctx.caller), input),
  payload: servedEndpoint('The endpoint, with the first step.'),
});

payloadMutation('cancelRamp', {
  description:
    'Ends the ramp that runs. What is served stays, or is again what was served before the ramp. NO_RAMP: none runs.',
  scope: 'write',
  input: (t) => ({
    endpoint: t.string({ required: true, description: 'The name of the endpoint.' }),
    rollBack: t.boolean({
      description: 'True: serve again what was served before the ramp; returns when the edge does. False by default.',
    }),
  }),
  validate: CancelRampInput,
  resolve: (input, ctx) => cancelRamp(ctx, projectOf(ctx.caller), input),
  payload: servedEndpoint('The endpoint as it is served now.'),
});
