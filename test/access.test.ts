/** Deny by default: every query, mutation, subscription and route refuses strangers, wrong scopes and foreign keys. */
import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLInputType,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isLeafType,
  isListType,
  isNonNullType,
  isRequiredArgument,
  isRequiredInputField,
} from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { schema } from '../apps/api/src/schema/index.ts';
import { ask, commit, upload } from '../apps/api/src/schema/testing.ts';
import { startTestApi, type TestApi } from './testkit/api.ts';
import { seedVersion } from './testkit/seed.ts';

const ROOTS = [
  { operation: 'query', type: schema.getQueryType() },
  { operation: 'mutation', type: schema.getMutationType() },
  { operation: 'subscription', type: schema.getSubscriptionType() },
];
type Field = GraphQLField<unknown, unknown>;
const fields = ROOTS.flatMap(({ operation, type }) =>
  Object.values(type?.getFields() ?? {}).map((field) => ({ operation, field })),
);

/** A literal that coerces; ids of real rows where the argument's name asks for one. */
function literal(type: GraphQLInputType, name: string, ids: Record<string, string>): string {
  if (isNonNullType(type)) return literal(type.ofType, name, ids);
  if (isListType(type)) return `[${literal(type.ofType, name.replace(/s$/, ''), ids)}]`;
  if (isEnumType(type)) return String(type.getValues()[0]?.name);
  if (isInputObjectType(type)) {
    const required = Object.values(type.getFields()).filter(
      (field) => isRequiredInputField(field) || field.name in ids,
    );
    return `{ ${required.map((field) => given(field, ids)).join(', ')} }`;
  }
  const known = ids[name];
  if (known !== undefined) return JSON.stringify(known);
  const plain: Record<string, string> = { Int: '1', Float: '1', BigInt: '1', Boolean: 'true', JSON: '{}' };
  return plain[type.name] ?? '"x"';
}
const given = (argument: GraphQLArgument | GraphQLInputField, ids: Record<string, string>) =>
  `${argument.name}: ${literal(argument.type, argument.name, ids)}`;

/** A document of one root field with its required arguments. */
function document(operation: string, field: Field, ids: Record<string, string> = {}): string {
  const used = field.args.filter((argument) => isRequiredArgument(argument) || argument.name in ids);
  const args = used.length ? `(${used.map((argument) => given(argument, ids)).join(', ')})` : '';
  const below = isLeafType(getNamedType(field.type)) ? '' : ' { __typename }';
  return `${operation} { ${field.name}${args}${below} }`;
}

describe('access', () => {
  let api: TestApi;
  let foreign: string;
  let readOnly: string;
  let client: string;
  const ids: Record<string, string> = {};

  beforeAll(async () => {
    api = await startTestApi();
    const datasetVersionId = await commit(api);
    const { experimentId, runId } = await ask(api, datasetVersionId);
    const rows = {
      classes: ['a', 'b'],
      truth: [0, 1],
      probabilities: [
        [0.9, 0.1],
        [0.2, 0.8],
      ],
    };
    const version = await seedVersion(api.deps, { projectId: api.projectId, rows });
    const uploadToken = await upload(api, 'a,b\n1,2\n');
    Object.assign(ids, { datasetVersionId, experimentId, runId, modelVersionId: version.id, uploadToken });
    const project = 'mutation ($name: String!) { createProject(input: { name: $name }) { secret } }';
    foreign = (await api.execute(project, { name: 'foreign' })).data.createProject.secret;
    const key = 'mutation { createApiKey(input: { name: "reader", scopes: [read] }) { secret } }';
    readOnly = (await api.execute(key)).data.createApiKey.secret;
    client = (await api.execute(key.replace('[read]', '[predict, feedback]'))).data.createApiKey.secret;
    const { data } = await api.execute('{ datasets { nodes { id } } project { apiKeys { nodes { id } } } }');
    Object.assign(ids, { datasetId: data.datasets.nodes[0].id, apiKeyId: data.project.apiKeys.nodes[0].id });
  });
  afterAll(async () => await api.close());

  for (const { operation, field } of fields)
    it(`${operation} ${field.name} refuses strangers and keys that nobody gave out`, async () => {
      for (const key of [null, 'ann_nobody']) {
        const { data, errors } = await api.execute(
          document(operation, field, { ...ids, id: String(ids.runId) }),
          {},
          key,
        );
        expect(errors?.map((error) => error.extensions.code)).toEqual(['UNAUTHENTICATED']);
        expect(data?.[field.name] ?? null).toBeNull();
      }
    });

  /** What the scope feedback is for. */
  const TELLING = ['recordFeedback'];
  for (const { operation, field } of fields.filter(({ field }) => !TELLING.includes(field.name)))
    it(`${operation} ${field.name} refuses a key that is for endpoints alone`, async () => {
      const named = { ...ids, id: String(ids.runId) };
      const { data, errors } = await api.execute(document(operation, field, named), {}, client);
      expect(errors?.map((error) => error.extensions.code)).toEqual(['FORBIDDEN']);
      expect(data?.[field.name] ?? null).toBeNull();
    });

  for (const { operation, field } of fields.filter(({ operation }) => operation === 'mutation'))
    it(`${operation} ${field.name} refuses a key that may only read`, async () => {
      const { errors } = await api.execute(document(operation, field, ids), {}, readOnly);
      expect(errors?.map((error) => error.extensions.code)).toEqual(['FORBIDDEN']);
    });

  /** Takes no id of somebody else: what a foreign key makes is its own. */
  const OWN = ['createDataset', 'createProject', 'createApiKey', 'stageUpload', 'claimRun', 'deploy', 'undeploy'];
  for (const { operation, field } of fields.filter(({ field }) => !OWN.includes(field.name)))
    it(`${operation} ${field.name} shows a foreign key nothing of this project`, async () => {
      const mine = new RegExp(
        Object.values(ids)
          .filter((id) => id.length > 20)
          .join('|'),
      );
      const isNode = field.name === 'node' || /^(dataset|experiment|run|modelVersion)$/.test(field.name);
      const type = field.name === 'node' ? 'run' : field.name;
      const named = {
        ...ids,
        ...(isNode && { id: String(ids[`${type}Id`]) }),
        name: 'iris',
        token: String(ids.uploadToken),
      };
      const { data, errors } = await api.execute(document(operation, field, named), {}, foreign);
      const answer = data?.[field.name];
      const refused = answer === null || answer === undefined || answer.__typename !== undefined;
      expect(refused).toBe(true);
      expect(JSON.stringify(data ?? {})).not.toMatch(mine);
      if (isNode) expect(answer ?? null).toBeNull();
      if (errors) for (const error of errors) expect(['FORBIDDEN', 'NOT_FOUND']).toContain(error.extensions.code);
    });

  it('mutations on rows of another project say NOT_FOUND and change nothing', async () => {
    const before = await snapshot(api);
    const calls = [
      `cancelRun(input: { runId: "${ids.runId}" }) { userErrors { code } }`,
      `retryRun(input: { runId: "${ids.runId}" }) { userErrors { code } }`,
      `revokeApiKey(input: { apiKeyId: "${ids.apiKeyId}" }) { userErrors { code } }`,
      `createExperiment(input: { name: "x", datasetVersionId: "${ids.datasetVersionId}" }) { userErrors { code } }`,
      `commitDatasetVersion(input: { datasetId: "${ids.datasetId}", uploadTokens: ["${ids.uploadToken}"], format: CSV,
        target: "b" }) { userErrors { code } }`,
      `deploy(input: { endpoint: "x", variants: [{ modelVersionId: "${ids.modelVersionId}" }] }) {
        userErrors { code } }`,
      `importModelVersion(input: { modelName: "x", uploadToken: "${ids.uploadToken}" }) { userErrors { code } }`,
      `failRun(input: { runId: "${ids.runId}", attempt: 1, code: "X", message: "x" }) { userErrors { code } }`,
    ];
    for (const call of calls) {
      const { data, errors } = await api.execute(`mutation { ${call} }`, {}, foreign);
      expect(errors, call).toBeUndefined();
      const [payload] = Object.values(data as Record<string, { userErrors: { code: string }[] }>);
      expect(payload?.userErrors, call).toEqual([{ code: 'NOT_FOUND' }]);
    }
    expect(await snapshot(api)).toEqual(before);
  });

  it('connections of a foreign key are empty', async () => {
    const connections = ['datasets', 'experiments', 'models', 'endpoints'];
    const query = `{ ${connections.map((name) => `${name} { totalCount nodes { id } }`).join(' ')} }`;
    const { data } = await api.execute(query, {}, foreign);
    for (const name of connections) expect(data[name]).toEqual({ totalCount: 0, nodes: [] });
  });
});

describe('routes', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startTestApi();
  });
  afterAll(async () => await api.close());

  it('those for keys refuse strangers and keys that nobody gave out', async () => {
    const closed = api.routes.filter((route) => route.access === 'KEY');
    expect(closed.map((route) => route.example)).toEqual(['/internal/prediction-events', '/graphql']);
    for (const { example } of closed)
      for (const authorization of [undefined, 'Bearer ann_nobody', 'Basic eDp5']) {
        const headers = { 'content-type': 'application/json', ...(authorization && { authorization }) };
        const body = JSON.stringify({ query: '{ project { name } }' });
        const response = await fetch(`${api.url}${example}`, { method: 'POST', headers, body });
        expect(await response.text(), example).toContain('UNAUTHENTICATED');
      }
  });

  it('prediction events are for the service key of the edge alone', async () => {
    for (const key of [api.keys.admin, api.keys.trainer]) {
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` };
      const response = await fetch(`${api.url}/internal/prediction-events`, { method: 'POST', headers, body: '{}' });
      expect(response.status).toBe(403);
    }
  });

  it('those of signed URLs refuse a URL without, with another or with an old signature', async () => {
    const signed = api.routes.filter((route) => route.access === 'SIGNED');
    expect(signed).toHaveLength(2);
    for (const { example } of signed) {
      const method = example.startsWith('/uploads') ? 'PUT' : 'GET';
      const old = api.deps.signer.sign({ method, path: example, expiresAt: new Date(Date.now() - 1000) });
      const other = api.deps.signer.sign({ method, path: '/other', expiresAt: new Date(Date.now() + 60_000) });
      for (const url of [`${api.url}${example}`, old, `${api.url}${example}${new URL(other).search}`])
        expect((await fetch(url, { method, ...(method === 'PUT' && { body: 'x' }) })).status, url).toBe(403);
    }
  });

  it('what no key opens: health, and the files of the console under a name that is ours', async () => {
    const open = api.routes.filter((route) => route.access === 'ANYBODY' || route.access === 'PAGE');
    expect(open.map((route) => route.example)).toEqual(['/healthz', '/', '/graphiql/']);
    expect((await fetch(`${api.url}/healthz`)).status).toBe(200);
    expect((await fetch(`${api.url}/nowhere`)).status).toBe(404);
  });
});

/** Counts and states that no refused call may change. */
async function snapshot(api: TestApi) {
  const { prisma } = api.deps;
  return {
    runs: await prisma.run.findMany({ select: { id: true, status: true, cancelRequestedAt: true } }),
    keys: await prisma.apiKey.findMany({ select: { id: true, revokedAt: true } }),
    experiments: await prisma.experiment.count(),
    versions: await prisma.datasetVersion.count(),
    endpoints: await prisma.endpoint.count(),
  };
}
