/** Who may call what: root fields refuse strangers and keys without their scope, rows hide from other projects. */
import { readFileSync } from 'node:fs';
import {
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLNamedType,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  isScalarType,
} from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../../../test/testkit/api.ts';
import { NIL, NODE_TYPES, toGlobalId } from '../domain/ids.ts';
import { schema } from './index.ts';
import { printedSchema, SCHEMA_FILE } from './print.ts';
import { ask, claim, commit, complete, completion, mutate, upload } from './testing.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.close());

/** A value of the type, as small as possible. */
function sample(type: GraphQLInputType): unknown {
  if (isNonNullType(type)) return sample(type.ofType);
  if (isListType(type)) return [sample(type.ofType)];
  if (isEnumType(type)) return type.getValues()[0]?.name;
  if (isScalarType(type)) return SAMPLES[type.name];
  if (!isInputObjectType(type)) return null;
  const required = Object.values(type.getFields()).filter((field) => isNonNullType(field.type));
  return Object.fromEntries(required.map((field) => [field.name, sample(field.type)]));
}
const SAMPLES: Record<string, unknown> = {
  ID: 'x',
  String: 'x',
  Int: 1,
  Float: 0.5,
  Boolean: true,
  BigInt: 1,
  JSON: {},
  DateTime: '2026-01-01T00:00:00.000Z',
};

const roots = (['query', 'mutation'] as const).flatMap((operation) => {
  const type = operation === 'query' ? schema.getQueryType() : schema.getMutationType();
  return Object.values(type?.getFields() ?? {}).map((field) => ({ operation, field, name: field.name }));
});

/** A document that calls the field with required arguments only. */
function call(operation: string, field: GraphQLField<unknown, unknown>) {
  const required = field.args.filter((arg) => isNonNullType(arg.type));
  const declared = required.map((arg) => `$${arg.name}: ${arg.type}`).join(', ');
  const passed = required.map((arg) => `${arg.name}: $${arg.name}`).join(', ');
  const selection = isObjectType(getNamedType(field.type)) || isInterfaceType(getNamedType(field.type));
  const document = `${operation} ${declared && `(${declared})`} {
    ${field.name}${passed && `(${passed})`} ${selection ? '{ __typename }' : ''} }`;
  return { document, variables: Object.fromEntries(required.map((arg) => [arg.name, sample(arg.type)])) };
}

describe('every root field', () => {
  it.each(roots)('$operation $name refuses strangers and keys without its scope', async ({ operation, field }) => {
    const { document, variables } = call(operation, field);
    const stranger = await api.execute(document, variables, null);
    expect(stranger.errors?.map((error) => error.extensions.code)).toEqual(['UNAUTHENTICATED']);
    const unknown = await api.execute(document, variables, 'anneal_unknown');
    expect(unknown.errors?.map((error) => error.extensions.code)).toEqual(['UNAUTHENTICATED']);
    // The edge's key may do nothing here.
    const edge = await api.execute(document, variables, api.keys.edge);
    expect(edge.errors?.map((error) => error.extensions.code)).toEqual(['FORBIDDEN']);
    expect(Object.values(edge.data ?? {}).filter(Boolean)).toEqual([]);
  });
});

describe('another project', () => {
  it('sees and changes nothing', async () => {
    const version = await commit(api);
    const { experimentId, runId } = await ask(api, version);
    const claimed = await claim(api);
    if (!claimed) throw new Error('nothing to claim');
    const token = await upload(api, 'mine');
    const { modelVersion } = await complete(api, await completion(api, claimed));
    const { data } = await api.execute('{ project { id apiKeys { nodes { id } } } datasets { nodes { id } } }');
    const { secret } = await mutate(api, 'createProject', 'secret', { name: 'stranger' });
    const ids = [
      version,
      experimentId,
      runId,
      modelVersion.id,
      data.project.id,
      data.project.apiKeys.nodes[0].id,
      data.datasets.nodes[0].id,
    ];
    for (const id of ids) {
      const query = 'query ($id: ID!) { node(id: $id) { id } }';
      expect((await api.execute(query, { id })).data.node).toEqual({ id });
      expect(await api.execute(query, { id }, secret)).toEqual({ data: { node: null } });
    }
    const lists = '{ datasets { totalCount } experiments { totalCount } project { name } }';
    expect((await api.execute(lists, {}, secret)).data).toEqual({
      datasets: { totalCount: 0 },
      experiments: { totalCount: 0 },
      project: { name: 'stranger' },
    });
    const one =
      'query ($r: ID!, $e: ID!, $d: ID!) { run(id: $r) { id } experiment(id: $e) { id } dataset(id: $d) { id } }';
    const variables = { r: runId, e: experimentId, d: data.datasets.nodes[0].id };
    expect((await api.execute(one, variables, secret)).data).toEqual({ run: null, experiment: null, dataset: null });
    const codes = async (name: string, input: object) =>
      (await mutate(api, name, '__typename', input, secret)).userErrors.map(({ code }: { code: string }) => code);
    expect(await codes('cancelRun', { runId })).toEqual(['NOT_FOUND']);
    expect(await codes('retryRun', { runId })).toEqual(['NOT_FOUND']);
    expect(await codes('heartbeatRun', { runId, attempt: 1 })).toEqual(['NOT_FOUND']);
    expect(await codes('stageUpload', { filename: 'x', byteLength: 1, runId })).toEqual(['NOT_FOUND']);
    expect(await codes('createExperiment', { name: 'x', datasetVersionId: version })).toEqual(['NOT_FOUND']);
    expect(await codes('revokeApiKey', { apiKeyId: data.project.apiKeys.nodes[0].id })).toEqual(['NOT_FOUND']);
    const key = { name: 'x', scopes: ['read'], projectId: data.project.id };
    expect(await codes('createApiKey', key)).toEqual(['NOT_FOUND']);
    const own = await mutate(api, 'createDataset', 'dataset { id }', { name: 'own' }, secret);
    const theirs = { datasetId: own.dataset.id, uploadTokens: [token], format: 'CSV', target: 'LAST' };
    expect(await codes('commitDatasetVersion', theirs)).toEqual(['NOT_FOUND']);
  });

  it('is not trained by a project key of this one', async () => {
    const { secret } = await mutate(api, 'createProject', 'secret', { name: 'trained' });
    const { runId } = await ask(api, await commit(api, undefined, secret), {}, secret);
    expect(await claim(api, {}, api.keys.admin)).toBeNull();
    expect(await claim(api, {}, secret)).toMatchObject({ runId });
  });
});

describe('keys', () => {
  it('do what their scopes say until they are revoked', async () => {
    const fields = 'secret apiKey { id name prefix scopes createdAt lastUsedAt revokedAt }';
    const { secret, apiKey } = await mutate(api, 'createApiKey', fields, { name: 'reader', scopes: ['read'] });
    expect(secret.startsWith(apiKey.prefix)).toBe(true);
    expect(apiKey).toMatchObject({ name: 'reader', scopes: ['read'], lastUsedAt: null, revokedAt: null });
    expect((await api.execute('{ datasets { nodes { id } } }', {}, secret)).errors).toBeUndefined();
    const forbidden = await api.execute('{ project { apiKeys { nodes { id } } } }', {}, secret);
    expect(forbidden.errors?.map((error) => error.extensions.code)).toEqual(['FORBIDDEN']);
    const stored = await api.deps.prisma.apiKey.findMany();
    expect(JSON.stringify(stored)).not.toContain(secret);
    await mutate(api, 'revokeApiKey', '__typename', { apiKeyId: apiKey.id });
    const refused = await api.execute('{ datasets { nodes { id } } }', {}, secret);
    expect(refused.errors?.map((error) => error.extensions.code)).toEqual(['UNAUTHENTICATED']);
  });

  it('of a new project are shown once, and names of projects are taken once', async () => {
    const first = await mutate(api, 'createProject', 'project { name } secret', { name: 'unique' });
    expect(first).toMatchObject({ project: { name: 'unique' }, secret: expect.any(String), userErrors: [] });
    const second = await mutate(api, 'createProject', 'project { name } secret', { name: 'unique' });
    expect(second).toMatchObject({
      project: null,
      secret: null,
      userErrors: [{ code: 'NAME_TAKEN', field: ['name'] }],
    });
  });
});

describe('node', () => {
  it('is null for ids that name nothing', async () => {
    const query = 'query ($id: ID!) { node(id: $id) { id } }';
    for (const id of ['x', '', toGlobalId('Run', NIL), toGlobalId('Upload', NIL), btoa('Nothing:1'), btoa('Run:1')])
      expect(await api.execute(query, { id })).toEqual({ data: { node: null } });
  });

  it('knows every type that has an id', () => {
    const node = schema.getType('Node');
    if (!isInterfaceType(node)) throw new Error('no Node');
    const types = schema.getPossibleTypes(node).map(({ name }) => name);
    expect(types.toSorted()).toEqual(NODE_TYPES.toSorted());
  });
});

describe('the schema', () => {
  it('is the one that is printed', () => {
    expect(readFileSync(SCHEMA_FILE, 'utf8')).toBe(printedSchema());
  });

  it('describes every type, field, argument and enum value', () => {
    const types = Object.values(schema.getTypeMap()).filter((type) => !type.name.startsWith('__'));
    expect(types.flatMap(undescribed)).toEqual([]);
  });

  it('refuses documents that cost too much', async () => {
    const query = `{ experiments(first: 100) { nodes { runs(first: 100) { nodes { id status seed } } } } }`;
    const { errors } = await api.execute(query);
    expect(errors?.map((error) => error.extensions.code)).toEqual(['DOCUMENT_TOO_LARGE']);
  });
});

/** Names of the parts of a type without a description. */
function undescribed(type: GraphQLNamedType): string[] {
  const parts: { name: string; description?: string | null }[] = [{ name: type.name, description: type.description }];
  if (isEnumType(type))
    parts.push(...type.getValues().map((value) => ({ ...value, name: `${type.name}.${value.name}` })));
  if (isObjectType(type) || isInterfaceType(type) || isInputObjectType(type))
    for (const field of Object.values(type.getFields())) {
      parts.push({ name: `${type.name}.${field.name}`, description: field.description });
      if ('args' in field)
        for (const arg of field.args)
          parts.push({ name: `${type.name}.${field.name}(${arg.name})`, description: arg.description });
    }
  return parts.filter(({ description }) => !description).map(({ name }) => name);
}
