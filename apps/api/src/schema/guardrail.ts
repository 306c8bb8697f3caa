/** Guardrail: a challenger watched against a baseline by an always-valid test, and what was decided. */
import { builder, page } from '../builder.ts';
import { projectOf } from '../context.ts';
import {
  CreateGuardrailInput,
  createGuardrail,
  EndGuardrailInput,
  endGuardrail,
  GuardrailSettings,
  type GuardrailState,
} from '../domain/guardrail.ts';
import type { WatchedMetric } from '../domain/guardrail-counts.ts';
import type { Evidence } from '../domain/guardrail-verdict.ts';
import { NIL, uuidOrNil } from '../domain/ids.ts';
import { VariantRoleEnum } from './enums.ts';
import { payloadMutation } from './mutation.ts';

const MetricEnum = builder.enumType('GuardrailMetric', {
  description: 'What a guardrail compares: each is a share of all cases.',
  values: {
    ERROR_RATE: { description: 'Share of the requests that failed.' },
    LATENCY: { description: 'Share of the answered requests that took longer than the threshold.' },
    QUALITY: { description: 'Share of right predictions among those that feedback has come for.' },
  } as const,
});

const VerdictEnum = builder.enumType('GuardrailVerdict', {
  description: 'What the evidence says.',
  values: {
    PROMOTE: { description: 'The challenger is better, or not worse by more than the margins.' },
    ROLL_BACK: { description: 'The challenger is worse by more than the margin of a metric.' },
    CONTINUE: { description: 'Neither is certain yet.' },
  } as const,
});

const StatusEnum = builder.enumType('GuardrailStatus', {
  description: 'Whether it watches.',
  values: { ACTIVE: { description: 'It watches.' }, ENDED: { description: 'It has ended.' } } as const,
});

const EndEnum = builder.enumType('GuardrailEnd', {
  description: 'Why a guardrail ended.',
  values: {
    ACTED: { description: 'It deployed what its verdict said.' },
    EXPIRED: { description: 'Its days were over.' },
    NOT_SERVED: { description: 'A deploy took the challenger or the baseline away.' },
    CANCELED: { description: 'endGuardrail.' },
  } as const,
});

const FindingEnum = builder.enumType('GuardrailFinding', {
  description: 'What one metric says; the first of these that is certain.',
  values: {
    WORSE: { description: 'The challenger is worse by more than the margin.' },
    BETTER: { description: 'The challenger is better.' },
    NOT_WORSE: { description: 'The challenger is not worse by more than the margin.' },
    OPEN: { description: 'Nothing yet.' },
  } as const,
});

const ArmType = builder.objectRef<Evidence['baseline']>('GuardrailArm').implement({
  description: 'What one version did.',
  fields: (t) => ({
    n: t.exposeInt('n', { description: 'Cases: requests, or labelled predictions.' }),
    value: t.exposeFloat('value', { nullable: true, description: 'The share of them; null of none.' }),
  }),
});

const EvidenceType = builder.objectRef<Evidence>('GuardrailEvidence').implement({
  description: 'One metric of both versions, and the interval of their difference that holds at all times together.',
  fields: (t) => ({
    metric: t.expose('metric', { type: MetricEnum, description: 'The metric.' }),
    baseline: t.expose('baseline', { type: ArmType, description: 'What the baseline did.' }),
    challenger: t.expose('challenger', { type: ArmType, description: 'What the challenger did.' }),
    difference: t.exposeFloat('difference', {
      nullable: true,
      description:
        'Challenger minus baseline, the mean over the shares that it had meanwhile; null while either has no case.',
    }),
    low: t.exposeFloat('low', {
      description: 'The difference is at least this; at one of the shares, if there were several.',
    }),
    high: t.exposeFloat('high', {
      description: 'The difference is at most this; at one of the shares, if there were several.',
    }),
    alpha: t.exposeFloat('alpha', {
      description: 'Chance that this interval is ever wrong: alpha of the guardrail / number of metrics.',
    }),
    margin: t.exposeFloat('margin', { description: 'How much worse the challenger may be.' }),
    finding: t.expose('finding', { type: FindingEnum, description: 'What it says.' }),
  }),
});

const WatchedMetricType = builder.objectRef<WatchedMetric>('GuardrailWatch').implement({
  description: 'A metric that is watched.',
  fields: (t) => ({
    metric: t.expose('metric', { type: MetricEnum, description: 'The metric.' }),
    margin: t.exposeFloat('margin', { description: 'How much worse the challenger may be.' }),
    thresholdMs: t.exposeFloat('thresholdMs', {
      nullable: true,
      description: 'LATENCY: a request that takes longer is slow, milliseconds. Else null.',
    }),
    tolerance: t.exposeFloat('tolerance', {
      nullable: true,
      description: 'QUALITY of REGRESSION: a prediction that is farther from the truth is wrong. Else null.',
    }),
  }),
});

builder.prismaObject('GuardrailDecision', {
  description: 'What a guardrail found, with the data that it was found from. Immutable.',
  select: { id: true },
  fields: (t) => ({
    verdict: t.expose('verdict', { type: VerdictEnum, description: 'What was decided.' }),
    evidence: t.field({
      type: [EvidenceType],
      description: 'Every metric as it stood then.',
      select: { evidence: true },
      resolve: ({ evidence }) => evidence as unknown as Evidence[], // written by domain/guardrail-watch.ts alone
    }),
    revision: t.exposeInt('revision', { description: 'The revision that was served then.' }),
    ledTo: t.exposeInt('ledTo', {
      nullable: true,
      description: 'The revision that it led to; null = nothing changed.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was decided.' }),
  }),
});

const stateOf = (state: unknown) => state as GuardrailState; // written by domain/guardrail*.ts alone

const GuardrailType = builder.prismaNode('Guardrail', {
  description:
    'A challenger at an endpoint, watched against a baseline by a test that is valid whenever it is looked at.',
  id: { field: 'id', description: 'Global id.' },
  nullable: true,
  findUnique: (id, ctx) => ({ id: uuidOrNil(id), endpoint: { projectId: projectOf(ctx.caller) } }),
  select: { id: true, settings: true, state: true },
  fields: (t) => ({
    endpoint: t.relation('endpoint', { description: 'Where both versions answer.' }),
    challenger: t.relation('modelVersion', { description: 'The version that is watched.' }),
    baseline: t.prismaField({
      type: 'ModelVersion',
      select: { baselineId: true },
      description: 'The version that it is compared with.',
      resolve: (query, { baselineId }, _args, ctx) =>
        ctx.prisma.modelVersion.findUniqueOrThrow({ ...query, where: { id: baselineId } }),
    }),
    status: t.expose('status', { type: StatusEnum, description: 'Whether it watches.' }),
    verdict: t.field({
      type: VerdictEnum,
      description: 'What the evidence says now, or said when it ended.',
      resolve: ({ state }) => stateOf(state).verdict ?? 'CONTINUE',
    }),
    evidence: t.field({
      type: [EvidenceType],
      description: 'Every metric as it stands; empty before it has looked for the first time.',
      resolve: ({ state }) => stateOf(state).evidence ?? [],
    }),
    since: t.expose('since', { type: 'DateTime', description: 'Predictions from then on count.' }),
    checkedAt: t.expose('checkedAt', { type: 'DateTime', nullable: true, description: 'When it looked last.' }),
    endedAt: t.expose('endedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it ended; null while ACTIVE.',
    }),
    ended: t.field({
      type: EndEnum,
      nullable: true,
      description: 'Why it ended; null while ACTIVE.',
      resolve: ({ state }) => stateOf(state).ended,
    }),
  }),
});

builder.prismaObjectFields(GuardrailType, (t) => ({
  role: t.field({
    type: VariantRoleEnum,
    description: 'What the challenger is: a variant, or a shadow.',
    resolve: ({ settings }) => GuardrailSettings.parse(settings).role,
  }),
  metrics: t.field({
    type: [WatchedMetricType],
    description: 'What is watched.',
    resolve: ({ settings }) => GuardrailSettings.parse(settings).metrics,
  }),
  alpha: t.float({
    description: 'Chance that any interval of any metric is ever wrong, however often one looks.',
    resolve: ({ settings }) => GuardrailSettings.parse(settings).alpha,
  }),
  minSamples: t.int({
    description: 'Cases that each version needs before a metric says anything.',
    resolve: ({ settings }) => GuardrailSettings.parse(settings).minSamples,
  }),
  maxDays: t.float({
    description: 'Days after which it ends without a verdict.',
    resolve: ({ settings }) => GuardrailSettings.parse(settings).maxDays,
  }),
  act: t.boolean({
    description: 'Whether it deploys what its verdict says.',
    resolve: ({ settings }) => GuardrailSettings.parse(settings).act,
  }),
  decisions: t.relatedConnection('decisions', {
    cursor: 'id',
    description: 'What it decided, newest first: one per change of the verdict.',
    complexity: page,
    totalCount: true,
    query: { orderBy: { id: 'desc' } },
  }),
}));

builder.prismaObjectFields('Endpoint', (t) => ({
  guardrails: t.relatedConnection('guardrails', {
    cursor: 'id',
    description: 'Its guardrails, newest first.',
    complexity: page,
    totalCount: true,
    query: { orderBy: { id: 'desc' } },
  }),
}));

const MetricInput = builder.inputType('GuardrailMetricInput', {
  description: 'A metric to watch.',
  fields: (t) => ({
    metric: t.field({ type: MetricEnum, required: true, description: 'The metric, each once.' }),
    margin: t.float({
      description:
        'How much worse the challenger may be, as a share: 0.01 = one point. 0 when omitted. With a margin above 0, ' +
        'PROMOTE needs no more than the certainty that it is not worse by that much.',
    }),
    thresholdMs: t.float({
      description:
        "LATENCY: a request that takes longer is slow, milliseconds. When omitted the baseline's p95 of the last 7 " +
        'days at this endpoint.',
    }),
    tolerance: t.float({
      description:
        'QUALITY of REGRESSION: a prediction that is farther from the truth is wrong. When omitted the mean absolute ' +
        "error of the baseline's HOLDOUT evaluation.",
    }),
  }),
});

payloadMutation('createGuardrail', {
  description:
    'Watches a challenger from now on by a test that stays valid however often one looks: the chance of any wrong ' +
    'verdict is at most alpha in all. NOT_SERVED: a version is not at the endpoint. GUARDRAIL_EXISTS: it is watched ' +
    'already. THRESHOLD_NEEDED, TOLERANCE_NEEDED: there is nothing to take them from. NOT_COMPARABLE: the latency of ' +
    'a shadow.',
  scope: 'write',
  input: (t) => ({
    endpoint: t.string({ required: true, description: 'Name of the endpoint.' }),
    challenger: t.id({ required: true, description: 'The version to watch: a variant or a shadow of the endpoint.' }),
    baseline: t.id({
      description: 'A variant to compare with; that with the largest weight beside the challenger when omitted.',
    }),
    metrics: t.field({ type: [MetricInput], required: true, description: 'What to watch: 1 to 3 metrics.' }),
    alpha: t.float({ description: 'Chance of any wrong verdict, at most 0.2; 0.05 when omitted.' }),
    minSamples: t.int({ description: 'Cases that each version needs before a metric says anything; 30 when omitted.' }),
    maxDays: t.float({ description: 'Days after which it ends, at most 28; 14 when omitted.' }),
    act: t.boolean({
      description:
        'Deploy what the verdict says: ROLL_BACK takes the challenger off the endpoint, PROMOTE gives it all ' +
        'requests. False when omitted.',
    }),
    idempotencyKey: t.string({ description: 'Repeats with the same key answer with the same guardrail.' }),
  }),
  validate: CreateGuardrailInput,
  resolve: (input, ctx) => createGuardrail(ctx, projectOf(ctx.caller), input),
  payload: (t) => ({
    guardrail: t.prismaField({
      type: 'Guardrail',
      nullable: true,
      description: 'The guardrail.',
      resolve: (query, { guardrailId }, _args, ctx) =>
        ctx.prisma.guardrail.findUnique({ ...query, where: { id: guardrailId ?? NIL } }),
    }),
  }),
});

payloadMutation('endGuardrail', {
  description: 'Stops watching; what is deployed stays as it is. One that has ended stays ended.',
  scope: 'write',
  input: (t) => ({ guardrailId: t.id({ required: true, description: 'Global id of the guardrail.' }) }),
  validate: EndGuardrailInput,
  resolve: (input, ctx) => endGuardrail(ctx, projectOf(ctx.caller), input),
  payload: (t) => ({
    guardrail: t.prismaField({
      type: 'Guardrail',
      nullable: true,
      description: 'The guardrail.',
      resolve: (query, { guardrailId }, _args, ctx) =>
        ctx.prisma.guardrail.findUnique({ ...query, where: { id: guardrailId ?? NIL } }),
    }),
  }),
});
