/** Endpoint: a public name at the edge, and the versions that answer for it. */
import { builder, page } from '../builder.ts';
import { projectOf } from '../context.ts';
import { predictUrl } from '../domain/endpoint.ts';
import { settingsOf } from '../domain/endpoint-settings.ts';
import { uuidOrNil } from '../domain/ids.ts';
import { SettingsType } from './endpoint-settings.ts';
import { ShadowType, VariantType } from './variant.ts';

/** When events are kept. */
export const EventDeliveryEnum = builder.enumType('EventDelivery', {
  description: "When the edge's durable outbox has the event of a prediction. Feedback is always DURABLE.",
  values: {
    BUFFERED: { description: 'At most 50 ms after the answer: a crash of the edge can lose those of the last 50 ms.' },
    DURABLE: { description: 'Before the answer, which takes longer: nothing that was answered is lost.' },
  } as const,
});

const ReasonEnum = builder.enumType('RevisionReason', {
  description: 'Why there is a revision.',
  values: {
    DEPLOY: { description: 'It was deployed.' },
    UNDEPLOY: { description: 'It was taken off the edge.' },
    KEYS: { description: "The project's keys changed; what is served did not." },
    ROLL_BACK: { description: 'An earlier revision is served again.' },
    RAMP: { description: 'A ramp went a step further.' },
    GUARDRAIL: { description: 'A guardrail acted on what it found.' },
    SETTINGS: { description: 'Its settings changed; what is served did not.' },
  } as const,
});
type Reason = typeof ReasonEnum.$inferType;

builder.prismaObject('EndpointRevision', {
  description: 'What an endpoint serves from one change to the next. Immutable; the number is in every answer.',
  select: { id: true },
  fields: (t) => ({
    number: t.exposeInt('number', { description: 'Rises by one per revision of the endpoint.' }),
    reason: t.field({
      type: ReasonEnum,
      description: 'Why there is this revision.',
      select: { reason: true },
      resolve: ({ reason }) => reason as Reason, // only addRevision writes it
    }),
    repeats: t.exposeInt('repeats', {
      nullable: true,
      description: 'The revision whose variants it repeats, where it is a roll back. Else null.',
    }),
    variants: t.field({
      type: [VariantType],
      description: 'The versions that answer.',
      select: (_args, _ctx, nested) => ({ variants: nested({ orderBy: { id: 'asc' } }) }),
      resolve: ({ variants }) => variants.filter(({ role }) => role === 'PRIMARY'),
    }),
    shadow: t.field({
      type: [ShadowType],
      description: 'The versions that are run behind the answers.',
      select: (_args, _ctx, nested) => ({ variants: nested({ orderBy: { id: 'asc' } }) }),
      resolve: ({ variants }) => variants.filter(({ role }) => role === 'SHADOW'),
    }),
    events: t.expose('events', { type: EventDeliveryEnum, description: 'When the events of predictions are kept.' }),
    settings: t.field({
      type: SettingsType,
      description: 'What the endpoint does beside predicting.',
      select: { settings: true },
      resolve: ({ settings }) => settingsOf(settings),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was written.' }),
    acknowledgedAt: t.expose('acknowledgedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the edge said that it serves it; null before, and where a newer one was quicker.',
    }),
  }),
});

builder.prismaNode('Endpoint', {
  description: 'A public name at the edge; deploy points it to versions. Names are unique in the installation.',
  id: { field: 'id', description: 'Global id.' },
  nullable: true,
  findUnique: (id, ctx) => ({ id: uuidOrNil(id), projectId: projectOf(ctx.caller) }),
  select: { id: true },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The name, as it stands in URLs.' }),
    url: t.string({
      description: 'The full URL for predictions: POST {"instances": [...]} with a key of the project.',
      select: { name: true },
      resolve: ({ name }, _args, ctx) => predictUrl(ctx.edge.url, name),
    }),
    revision: t.exposeInt('revision', {
      description: 'Number of the newest revision; deploys and key changes raise it.',
    }),
    events: t.field({
      type: EventDeliveryEnum,
      description: 'When the events of its predictions are kept, by the newest revision.',
      select: { revisions: { orderBy: { number: 'desc' }, take: 1, select: { events: true } } },
      resolve: ({ revisions }) => revisions[0]?.events ?? 'BUFFERED',
    }),
    acknowledged: t.boolean({
      description: 'Whether the edge has said that it serves the newest revision.',
      select: { revisions: { orderBy: { number: 'desc' }, take: 1, select: { acknowledgedAt: true } } },
      resolve: ({ revisions }) => (revisions[0]?.acknowledgedAt ?? null) !== null,
    }),
    settings: t.field({
      type: SettingsType,
      description: 'What it does beside predicting, by the newest revision.',
      select: { revisions: { orderBy: { number: 'desc' }, take: 1, select: { settings: true } } },
      resolve: ({ revisions }) => settingsOf(revisions[0]?.settings ?? {}),
    }),
    variants: t.field({
      type: [VariantType],
      description: 'The versions that answer by the newest revision; none when it is not deployed.',
      select: (_args, _ctx, nested) => ({
        revisions: { orderBy: { number: 'desc' }, take: 1, select: { variants: nested({ orderBy: { id: 'asc' } }) } },
      }),
      resolve: ({ revisions }) => (revisions[0]?.variants ?? []).filter(({ role }) => role === 'PRIMARY'),
    }),
    shadow: t.field({
      type: [ShadowType],
      description: 'The versions that are run behind the answers by the newest revision.',
      select: (_args, _ctx, nested) => ({
        revisions: { orderBy: { number: 'desc' }, take: 1, select: { variants: nested({ orderBy: { id: 'asc' } }) } },
      }),
      resolve: ({ revisions }) => (revisions[0]?.variants ?? []).filter(({ role }) => role === 'SHADOW'),
    }),
    revisions: t.relatedConnection('revisions', {
      cursor: 'id',
      complexity: page,
      description: 'What it has served, newest first.',
      totalCount: true,
      query: { orderBy: { number: 'desc' } },
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was first deployed.' }),
  }),
});

builder.queryField('endpoint', (t) =>
  t.prismaField({
    type: 'Endpoint',
    nullable: true,
    description: "The project's endpoint of that name; null where there is none.",
    authScopes: { scope: 'read' },
    args: { name: t.arg.string({ required: true, description: 'The name.' }) },
    resolve: (query, _root, { name }, ctx) =>
      ctx.prisma.endpoint.findFirst({ ...query, where: { name, projectId: projectOf(ctx.caller) } }),
  }),
);

builder.queryField('endpoints', (t) =>
  t.prismaConnection({
    type: 'Endpoint',
    cursor: 'id',
    description: "The project's endpoints, newest first.",
    authScopes: { scope: 'read' },
    complexity: page,
    totalCount: (_root, _args, ctx) => ctx.prisma.endpoint.count({ where: { projectId: projectOf(ctx.caller) } }),
    resolve: (query, _root, _args, ctx) =>
      ctx.prisma.endpoint.findMany({
        ...query,
        where: { projectId: projectOf(ctx.caller) },
        orderBy: { id: 'desc' },
      }),
  }),
);
