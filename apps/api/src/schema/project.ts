/** Project and ApiKey: who owns rows, and who may call. */
import { Scope } from '@anneal/edge/contract';
import { z } from 'zod';
import { builder } from '../builder.ts';
import { projectOf } from '../context.ts';
import { CreateApiKeyInput, createApiKey, keyCaller, RevokeApiKeyInput, revokeApiKey } from '../domain/auth.ts';
import { uuidOrNil } from '../domain/ids.ts';
import { CreateProjectInput, createProject } from '../domain/project.ts';
import { ScopeEnum } from './enums.ts';
import { payloadMutation } from './mutation.ts';

builder.prismaNode('Project', {
  description: 'Owns data sets, experiments, models and endpoints; a key sees one project.',
  id: { field: 'id', description: 'Global id.' },
  nullable: true,
  findUnique: (id, ctx) => ({ id: uuidOrNil(id), AND: { id: projectOf(ctx.caller) } }),
  select: { id: true },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Unique in the installation.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
    apiKeys: t.relatedConnection('apiKeys', {
      description: 'Its keys, newest first, revoked ones too. Needs the scope admin.',
      authScopes: { scope: 'admin' },
      cursor: 'id',
      totalCount: true,
      query: { orderBy: { id: 'desc' } },
    }),
  }),
});

builder.prismaNode('ApiKey', {
  description: 'A key of a project. Its secret was shown once, when it was created.',
  id: { field: 'id', description: 'Global id.' },
  nullable: true,
  authScopes: { scope: 'admin' },
  findUnique: (id, ctx) => ({ id: uuidOrNil(id), projectId: projectOf(ctx.caller) }),
  select: { id: true },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'What it is for.' }),
    prefix: t.exposeString('prefix', { description: 'First characters of the secret, to tell keys apart.' }),
    scopes: t.field({
      type: [ScopeEnum],
      description: 'What it may do.',
      select: { scopes: true },
      resolve: ({ scopes }) => z.array(Scope).parse(scopes),
    }),
    endpoints: t.exposeStringList('endpoints', {
      description: 'Names of the endpoints that it may call; empty = all of the project.',
    }),
    requestsPerMinute: t.exposeInt('requestsPerMinute', {
      nullable: true,
      description: 'Requests a minute that the edge lets it make, a sixth of them at once; null = no limit.',
    }),
    requestsPerDay: t.exposeInt('requestsPerDay', {
      nullable: true,
      description: 'Requests a day (UTC) that the edge lets it make; null = no limit.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was last used, to the minute; null = never.',
    }),
    revokedAt: t.expose('revokedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Since when it is refused; null = it works.',
    }),
  }),
});

builder.queryField('project', (t) =>
  t.prismaField({
    type: 'Project',
    description: 'The project of the calling key.',
    authScopes: { scope: 'read' },
    resolve: (query, _root, _args, ctx) =>
      ctx.prisma.project.findUniqueOrThrow({ ...query, where: { id: projectOf(ctx.caller) } }),
  }),
);

payloadMutation('createProject', {
  description: 'Creates a project with an admin key of its own; the secret is shown once.',
  scope: 'admin',
  input: (t) => ({
    name: t.string({ required: true, description: '1-63 of a-z, 0-9 and -; unique in the installation.' }),
  }),
  validate: CreateProjectInput,
  resolve: (input, ctx) => createProject(ctx, input),
  payload: (t) => ({
    project: t.prismaField({
      type: 'Project',
      nullable: true,
      description: 'The new project. It belongs to its own keys: this is all that the calling key sees of it.',
      resolve: (query, { projectId }, _args, ctx) =>
        projectId ? ctx.prisma.project.findUnique({ ...query, where: { id: projectId } }) : null,
    }),
    secret: t.string({
      nullable: true,
      description: 'Its admin key. Keep it: only its sha256 is stored.',
      resolve: ({ secret }) => secret,
    }),
  }),
});

payloadMutation('createApiKey', {
  description: 'Creates a key of the own project.',
  scope: 'admin',
  input: (t) => ({
    name: t.string({ required: true, description: 'What the key is for, 1-100 characters.' }),
    scopes: t.field({ type: [ScopeEnum], required: true, description: 'What it may do.' }),
    endpoints: t.stringList({
      description: 'Names of the endpoints that it may call, at most 100; for the scopes predict and feedback only.',
    }),
    requestsPerMinute: t.int({
      description: 'Requests a minute at the edge, all endpoints together; 1 to 1,000,000.',
    }),
    requestsPerDay: t.int({
      description: 'Requests a day (UTC) at the edge, all endpoints together; 1 to 1,000,000,000.',
    }),
    projectId: t.id({ description: 'The own project, the default; no other is allowed.' }),
  }),
  validate: CreateApiKeyInput,
  resolve: (input, ctx) => createApiKey(ctx, keyCaller(ctx.caller, 'admin'), input),
  payload: (t) => ({
    apiKey: t.prismaField({
      type: 'ApiKey',
      nullable: true,
      description: 'The new key.',
      resolve: (query, { apiKeyId }, _args, ctx) =>
        apiKeyId ? ctx.prisma.apiKey.findUnique({ ...query, where: { id: apiKeyId } }) : null,
    }),
    secret: t.string({
      nullable: true,
      description: 'The key itself, shown once: only its sha256 is stored.',
      resolve: ({ secret }) => secret,
    }),
  }),
});

payloadMutation('revokeApiKey', {
  description: 'Ends a key at once; the edge learns it by a new revision of the routes.',
  scope: 'admin',
  input: (t) => ({ apiKeyId: t.id({ required: true, description: 'The key.' }) }),
  validate: RevokeApiKeyInput,
  resolve: (input, ctx) => revokeApiKey(ctx, keyCaller(ctx.caller, 'admin'), input),
  payload: (t) => ({
    apiKey: t.prismaField({
      type: 'ApiKey',
      nullable: true,
      description: 'The revoked key.',
      resolve: (query, { apiKeyId }, _args, ctx) =>
        apiKeyId ? ctx.prisma.apiKey.findUnique({ ...query, where: { id: apiKeyId } }) : null,
    }),
  }),
});
