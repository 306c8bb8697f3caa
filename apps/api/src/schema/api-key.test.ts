/** Keys for callers of endpoints: what they are, where the edge learns it, and that they open nothing here. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../../../test/testkit/api.ts';
import { type EdgeDoor, startEdgeDoor } from '../../../../test/testkit/edge-door.ts';
import { type SeededVersion, seedVersion } from '../../../../test/testkit/seed.ts';
import { mutate } from './testing.ts';

const rows = {
  classes: ['a', 'b'],
  truth: [0, 1],
  probabilities: [
    [1, 0],
    [0, 1],
  ],
};
let edge: EdgeDoor;
let api: TestApi;
let version: SeededVersion;
beforeAll(async () => {
  edge = await startEdgeDoor();
  api = await startTestApi({ edge: { url: edge.url, adminSecret: edge.adminSecret, waitMs: 10_000 } });
  version = await seedVersion(api.deps, { projectId: api.projectId, rows });
  for (const endpoint of ['left', 'right'])
    await mutate(api, 'deploy', '__typename', { endpoint, variants: [{ modelVersionId: version.id }] });
});
afterAll(async () => {
  await api?.close();
  await edge?.close();
});

const FIELDS = 'secret apiKey { id scopes endpoints requestsPerMinute requestsPerDay }';
const create = (input: object) => mutate(api, 'createApiKey', FIELDS, { name: 'client', ...input });
/** What the newest route of an endpoint says of a key. */
const routeKey = (endpoint: string, secret: string) => {
  const sha256 = createHash('sha256').update(secret).digest('hex');
  return edge.routes.findLast((route) => route.endpoint === endpoint)?.keys.find((key) => key.sha256 === sha256);
};

describe('a key for callers', () => {
  it('shows what it may do, and the routes of its endpoints alone have it', async () => {
    const limits = { requestsPerMinute: 600, requestsPerDay: 10_000 };
    const { secret, apiKey, userErrors } = await create({
      scopes: ['predict'],
      endpoints: ['left', 'left'],
      ...limits,
    });
    expect(userErrors).toEqual([]);
    expect(apiKey).toMatchObject({ scopes: ['predict'], endpoints: ['left'], ...limits });
    expect(routeKey('left', secret)).toMatchObject({ scopes: ['predict'], ...limits });
    expect(routeKey('right', secret)).toBeUndefined();
    await mutate(api, 'revokeApiKey', '__typename', { apiKeyId: apiKey.id });
    expect(routeKey('left', secret)).toBeUndefined();
  });

  it('is of all endpoints and without limits when nothing else is said', async () => {
    const { secret, apiKey } = await create({ scopes: ['feedback', 'predict'] });
    expect(apiKey).toMatchObject({ endpoints: [], requestsPerMinute: null, requestsPerDay: null });
    for (const endpoint of ['left', 'right'])
      expect(routeKey(endpoint, secret)).toEqual({
        sha256: expect.any(String),
        scopes: expect.arrayContaining(['feedback', 'predict']),
      });
  });

  it('reads and changes nothing of the API', async () => {
    const { secret } = await create({ scopes: ['predict', 'feedback'] });
    const documents = [
      '{ datasets { nodes { id } } }',
      '{ project { name } }',
      '{ endpoints { nodes { name } } }',
      'mutation { createDataset(input: { name: "x" }) { dataset { id } } }',
      'mutation { createApiKey(input: { name: "x", scopes: [admin] }) { secret } }',
    ];
    for (const document of documents) {
      const { data, errors } = await api.execute(document, {}, secret);
      expect(
        errors?.map((error) => error.extensions.code),
        document,
      ).toEqual(['FORBIDDEN']);
      expect(Object.values(data ?? {}).filter(Boolean)).toEqual([]);
    }
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${secret}` };
    const events = await fetch(`${api.url}/internal/prediction-events`, { method: 'POST', headers, body: '{}' });
    expect(events.status).toBe(403);
  });

  it.each<[string, object, string, string[]]>([
    [
      'an endpoint that is not there',
      { scopes: ['predict'], endpoints: ['left', 'none'] },
      'NOT_FOUND',
      ['endpoints', '1'],
    ],
    ['no endpoint’s name', { scopes: ['predict'], endpoints: ['No Name'] }, 'INVALID_INPUT', ['endpoints', '0']],
    [
      'endpoints for a key that reaches further',
      { scopes: ['predict', 'read'], endpoints: ['left'] },
      'SCOPE_TOO_WIDE',
      ['scopes'],
    ],
    ['no request a minute', { scopes: ['predict'], requestsPerMinute: 0 }, 'INVALID_INPUT', ['requestsPerMinute']],
    ['less than no request a day', { scopes: ['predict'], requestsPerDay: -1 }, 'INVALID_INPUT', ['requestsPerDay']],
    ['no scope', { scopes: [] }, 'INVALID_INPUT', ['scopes']],
  ])('is refused with %s', async (_, input, code, field) => {
    const { secret, userErrors } = await create(input);
    expect(secret).toBeNull();
    expect(userErrors).toMatchObject([{ code, field }]);
  });

  it('is not kept to an endpoint of another project', async () => {
    const project = await mutate(api, 'createProject', 'secret', { name: 'neighbours' });
    const input = { name: 'x', scopes: ['predict'], endpoints: ['left'] };
    const { userErrors } = await mutate(api, 'createApiKey', 'secret', input, project.secret);
    expect(userErrors).toMatchObject([{ code: 'NOT_FOUND' }]);
  });
});
