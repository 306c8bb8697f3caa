/** Endpoint: a public name at the edge, and the versions that answer for it. */
import { builder, page } from '../builder.ts';
import { projectOf } from '../context.ts';
import { DeployInput, deploy, UndeployInput, undeploy } from '../domain/deploy.ts';
import { predictUrl } from '../domain/endpoint.ts';
import { NIL, uuidOrNil } from '../domain/ids.ts';
import { payloadMutation } from './mutation.ts';

const VariantType = builder.prismaObject('Variant', {
  description: "A version's share of the requests of an endpoint.",
  select: { id: true },
  fields: (t) => ({
    modelVersion: t.relation('modelVersion', { description: 'The version that answers.' }),
    weight: t.exposeFloat('weight', { description: 'Its share is weight / sum of all weights.' }),
  }),
});

const EventDeliveryEnum = builder.enumType('EventDelivery', {
  description: "When the edge's durable outbox has the event of a prediction. Feedback is always DURABLE.",
  values: {
    BUFFERED: { description: 'At most 50 ms after the answer: a crash of the edge can lose those of the last 50 ms.' },
    DURABLE: { description: 'Before the answer, which takes longer: nothing that was answered is lost.' },
  } as const,
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
    variants: t.field({
      type: [VariantType],
      description: 'The versions that answer by the newest revision; none when it is not deployed.',
      select: (_args, _ctx, nested) => ({
        revisions: { orderBy: { number: 'desc' }, take: 1, select: { variants: nested({ orderBy: { id: 'asc' } }) } },
      }),
      resolve: ({ revisions }) => revisions[0]?.variants ?? [],
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

const VariantInput = builder.inputType('VariantInput', {
  description: "A version's share of the requests.",
  fields: (t) => ({
    modelVersionId: t.id({ required: true, description: 'The version, of the own project.' }),
    weight: t.float({ description: 'Above 0; 1 when omitted. The share is weight / sum of all weights.' }),
  }),
});

payloadMutation('deploy', {
  description:
    'Points an endpoint, new or not, to versions, and returns when the edge serves them (10 s at most). ' +
    'EDGE_UNREACHABLE: the revision is stored and the API keeps pushing it. NAME_TAKEN: another project has the name.',
  scope: 'write',
  input: (t) => ({
    endpoint: t.string({
      required: true,
      description: 'The name: 1-63 of a-z, 0-9 and -, unique in the installation.',
    }),
    variants: t.field({
      type: [VariantInput],
      required: true,
      description: '1 to 10 versions that predict the same target.',
    }),
    events: t.field({
      type: EventDeliveryEnum,
      description: 'When the events of its predictions are kept; as before when omitted, BUFFERED at first.',
    }),
    idempotencyKey: t.string({ description: 'Repeats with the same key answer for the same deploy.' }),
  }),
  validate: DeployInput,
  resolve: (input, ctx) => deploy(ctx, projectOf(ctx.caller), input),
  payload: (t) => ({
    endpoint: t.prismaField({
      type: 'Endpoint',
      nullable: true,
      description: 'The endpoint as it is served now.',
      resolve: (query, { endpointId }, _args, ctx) =>
        ctx.prisma.endpoint.findUnique({ ...query, where: { id: endpointId ?? NIL } }),
    }),
  }),
});

payloadMutation('undeploy', {
  description:
    'Takes an endpoint off the edge: a revision without variants. Returns when the edge has acknowledged it.',
  scope: 'write',
  input: (t) => ({ endpoint: t.string({ required: true, description: 'Its name.' }) }),
  validate: UndeployInput,
  resolve: (input, ctx) => undeploy(ctx, projectOf(ctx.caller), input),
  payload: (t) => ({
    endpoint: t.prismaField({
      type: 'Endpoint',
      nullable: true,
      description: 'The endpoint, without variants.',
      resolve: (query, { endpointId }, _args, ctx) =>
        ctx.prisma.endpoint.findUnique({ ...query, where: { id: endpointId ?? NIL } }),
    }),
  }),
});
