/** Deploying through GraphQL to a stand-in of the edge's admin door that verifies every signature. */
import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../../../test/testkit/api.ts';
import { type EdgeDoor, startEdgeDoor } from '../../../../test/testkit/edge-door.ts';
import { type SeededVersion, seedVersion } from '../../../../test/testkit/seed.ts';
import { bootstrap } from './bootstrap.ts';
import { type Pause, startPusher } from './edge-push.ts';
import { createProject } from './project.ts';

const rows = {
  classes: ['a', 'b'],
  truth: [0, 1],
  probabilities: [
    [1, 0],
    [0, 1],
  ],
};
const WAIT_MS = 10_000;
let edge: EdgeDoor;
let target: { url: string; adminSecret: string; waitMs: number };
let api: TestApi;
let one: SeededVersion;
let two: SeededVersion;

beforeAll(async () => {
  edge = await startEdgeDoor();
  target = { url: edge.url, adminSecret: edge.adminSecret, waitMs: WAIT_MS };
  api = await startTestApi({ edge: target });
  one = await seedVersion(api.deps, { projectId: api.projectId, rows });
  two = await seedVersion(api.deps, { projectId: api.projectId, rows });
});
afterEach(() => {
  edge.failWith = undefined;
  target.waitMs = WAIT_MS;
});
afterAll(async () => {
  await api?.close();
  await edge?.close();
});

const DEPLOY = `mutation ($input: DeployInput!) { deploy(input: $input) {
  endpoint { name url revision acknowledged variants { weight modelVersion { number model { name } } } }
  userErrors { code field message } } }`;
type Variants = { modelVersionId: string; weight?: number }[];
type More = { key?: string; idempotencyKey?: string; events?: string };
const deploy = async (endpoint: string, variants: Variants, more: More = {}) => {
  const { key, ...rest } = more;
  const answer = await api.execute(DEPLOY, { input: { endpoint, variants, ...rest } }, key);
  expect(answer.errors).toBeUndefined();
  return answer.data.deploy;
};
const undeploy = async (endpoint: string) => {
  const mutation = `mutation ($input: UndeployInput!) { undeploy(input: $input) {
    endpoint { name revision variants { weight } } userErrors { code field } } }`;
  return (await api.execute(mutation, { input: { endpoint } })).data.undeploy;
};
const to = (version: SeededVersion, weight?: number) => ({ modelVersionId: version.id, ...(weight && { weight }) });
const codeOf = (answer: { userErrors: { code: string; field: string[] | null }[] }) => answer.userErrors[0]?.code;

describe('deploy', () => {
  it('pushes artifacts and route, and answers when the edge serves them', async () => {
    const answer = await deploy('both', [to(one, 3), to(two)]);
    expect(answer.userErrors).toEqual([]);
    expect(answer.endpoint).toEqual({
      name: 'both',
      url: `${edge.url}/v1/endpoints/both/predict`,
      revision: 1,
      acknowledged: true,
      variants: [
        { weight: 3, modelVersion: { number: one.number, model: { name: 'iris' } } },
        { weight: 1, modelVersion: { number: two.number, model: { name: 'iris' } } },
      ],
    });
    const route = await edge.served('both', 1);
    expect(
      route.variants.map(({ modelVersionId, model, version, weight }) => [modelVersionId, model, version, weight]),
    ).toEqual([
      [one.uuid, 'iris', one.number, 3],
      [two.uuid, 'iris', two.number, 1],
    ]);
    expect([...edge.artifacts.keys()].toSorted()).toEqual([one.artifactDigest, two.artifactDigest].toSorted());
    const sha256 = createHash('sha256').update(api.keys.admin).digest('hex');
    expect(route.keys).toEqual([{ sha256, scopes: ['admin'] }]); // the project's, not the service keys
  });

  it('sends an artifact once: the next deploy asks and finds it', async () => {
    await deploy('again', [to(one)]);
    edge.requests.length = 0;
    expect((await deploy('again', [to(one)])).endpoint.revision).toBe(2);
    expect(edge.requests).toEqual([`HEAD /admin/artifacts/${one.artifactDigest} 200`, 'PUT /admin/routes/again 200']);
  });

  it('delivers events BUFFERED unless told otherwise, and as before from then on', async () => {
    const delivery = async () => (await api.execute('{ endpoint(name: "sure") { events } }')).data.endpoint.events;
    await deploy('sure', [to(one)]);
    expect([await delivery(), (await edge.served('sure', 1)).events]).toEqual(['BUFFERED', 'BUFFERED']);
    await deploy('sure', [to(one)], { events: 'DURABLE' });
    expect([await delivery(), (await edge.served('sure', 2)).events]).toEqual(['DURABLE', 'DURABLE']);
    await deploy('sure', [to(two)]);
    expect((await edge.served('sure', 3)).events).toBe('DURABLE');
    await deploy('sure', [to(two)], { events: 'BUFFERED' });
    expect([await delivery(), (await edge.served('sure', 4)).events]).toEqual(['BUFFERED', 'BUFFERED']);
  });

  it('answers for the same deploy under the same idempotency key', async () => {
    const first = await deploy('repeated', [to(one)], { idempotencyKey: 'k' });
    expect(await deploy('repeated', [to(one)], { idempotencyKey: 'k' })).toEqual(first);
    expect(codeOf(await deploy('repeated', [to(two)], { idempotencyKey: 'k' }))).toBe('IDEMPOTENCY_KEY_REUSED');
    expect((await edge.served('repeated', 1)).revision).toBe(1);
  });

  it('gives deploys at the same time one revision each; the edge ends at the last', async () => {
    const answers = await Promise.all(Array.from({ length: 6 }, (_, i) => deploy('race', [to(i % 2 ? one : two)])));
    expect(answers.flatMap((answer) => answer.userErrors)).toEqual([]);
    const route = await edge.served('race', 6);
    const { data } = await api.execute('{ endpoint(name: "race") { revision variants { modelVersion { id } } } }');
    expect(data.endpoint.revision).toBe(6);
    expect(data.endpoint.variants[0].modelVersion.id).toBe(
      route.variants[0]?.modelVersionId === one.uuid ? one.id : two.id,
    );
  });

  it('refuses what cannot be served, naming the field', async () => {
    const price = { truth: [1, 2], values: [1, 2] };
    const regression = await seedVersion(api.deps, { projectId: api.projectId, modelName: 'price', rows: price });
    const refused = async (endpoint: string, variants: Variants) => {
      const { endpoint: none, userErrors } = await deploy(endpoint, variants);
      expect(none).toBeNull();
      return [userErrors[0].code, userErrors[0].field?.join('.')];
    };
    expect(await refused('Bad Name', [to(one)])).toEqual(['INVALID_INPUT', 'endpoint']);
    expect(await refused('bad', [])).toEqual(['INVALID_INPUT', 'variants']);
    expect(await refused('bad', [to(one, -1)])).toEqual(['INVALID_INPUT', 'variants.0.weight']);
    expect(await refused('bad', Array(11).fill(to(one)))).toEqual(['INVALID_INPUT', 'variants']);
    expect(await refused('bad', [to(one), to(one)])).toEqual(['DUPLICATE_VARIANT', 'variants.1.modelVersionId']);
    expect(await refused('bad', [to(one), to(regression)])).toEqual(['VARIANTS_DIFFER', 'variants.1.modelVersionId']);
    expect(await refused('bad', [{ modelVersionId: 'x' }])).toEqual(['NOT_FOUND', 'variants.0.modelVersionId']);
    expect((await api.execute('{ endpoint(name: "bad") { name } }')).data.endpoint).toBeNull();
  });

  it('takes no name and no version of another project', async () => {
    await deploy('mine', [to(one)]);
    const other = await createProject(api.deps, { name: 'another' });
    const theirs = await seedVersion(api.deps, { projectId: other.projectId, rows });
    expect(codeOf(await deploy('mine', [to(theirs)], { key: other.secret }))).toBe('NAME_TAKEN');
    expect(codeOf(await deploy('theirs', [to(one)], { key: other.secret }))).toBe('NOT_FOUND');
    const foreign = await api.execute('{ endpoint(name: "mine") { name } endpoints { totalCount } }', {}, other.secret);
    expect(foreign.data).toEqual({ endpoint: null, endpoints: { totalCount: 0 } });
    expect((await edge.served('mine', 1)).revision).toBe(1);
  });

  it('undeploys by a revision without variants', async () => {
    await deploy('gone', [to(one)]);
    expect(await undeploy('gone')).toEqual({ endpoint: { name: 'gone', revision: 2, variants: [] }, userErrors: [] });
    expect((await edge.served('gone', 2)).variants).toEqual([]);
    expect(codeOf(await undeploy('never'))).toBe('NOT_FOUND');
  });
});

describe('an edge that does not answer', () => {
  it.each([503, 'hang' as const])(
    'is EDGE_UNREACHABLE (%s); the pusher goes on until it serves the revision',
    async (how) => {
      const name = `late-${how}`;
      edge.failWith = how;
      target.waitMs = 200;
      const answer = await deploy(name, [to(one)]);
      expect(answer.userErrors).toEqual([
        { code: 'EDGE_UNREACHABLE', field: null, message: expect.stringMatching(/Revision 1 .* keeps trying/) },
      ]);
      const stored = await api.execute(`{ endpoint(name: "${name}") { revision acknowledged } }`);
      expect(stored.data.endpoint).toEqual({ revision: 1, acknowledged: false });

      edge.failWith = 503; // one round of the pusher fails, the next one finds the edge well
      const ending = new AbortController();
      const pauses: number[] = [];
      const pause: Pause = async (ms) => {
        pauses.push(ms);
        edge.failWith = undefined;
        if (pauses.length > 1) ending.abort();
      };
      await startPusher(api.deps, ending.signal, pause);
      expect((await edge.served(name, 1)).variants).toHaveLength(1);
      expect(pauses[0]).toBeLessThan(1000);
      const after = await api.execute(`{ endpoint(name: "${name}") { acknowledged } }`);
      expect(after.data.endpoint.acknowledged).toBe(true);
    },
  );

  it('that comes back within the wait is not an error', async () => {
    edge.failWith = 503;
    const pending = deploy('blip', [to(one)]);
    await expect.poll(() => edge.requests.at(-1)).toBe(`HEAD /admin/artifacts/${one.artifactDigest} 503`);
    edge.failWith = undefined;
    expect((await pending).userErrors).toEqual([]);
  });

  it('that refuses the signature is EDGE_REFUSED at once', async () => {
    target.adminSecret = 'another secret';
    const answer = await deploy('refused', [to(one)]).finally(() => {
      target.adminSecret = edge.adminSecret;
    });
    expect(answer.userErrors[0]).toMatchObject({ code: 'EDGE_REFUSED', message: expect.stringContaining('401') });
  });
});

describe("a project's keys", () => {
  it('reach the edge when one is made, and leave it when one is revoked', async () => {
    await deploy('keyed', [to(one, 2)]);
    const before = await edge.served('keyed', 1);
    const made = await api.execute(
      'mutation { createApiKey(input: { name: "k", scopes: [edge] }) { apiKey { id } secret userErrors { code } } }',
    );
    const { apiKey, secret } = made.data.createApiKey;
    const sha256 = createHash('sha256').update(secret).digest('hex');
    const withKey = await edge.served('keyed', 2);
    expect(withKey.keys).toContainEqual({ sha256, scopes: ['edge'] });
    expect(withKey.variants).toEqual(before.variants);
    await api.execute('mutation ($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { userErrors { code } } }', {
      input: { apiKeyId: apiKey.id },
    });
    expect((await edge.served('keyed', 3)).keys).toEqual(before.keys);
  });
});

describe('a new bootstrap key', () => {
  it('raises the revision with it; the pusher brings it to the edge', async () => {
    await deploy('booted', [to(one)]);
    await bootstrap(api.deps, { ...api.keys, admin: 'the next admin key of this installation' });
    const ending = new AbortController();
    await startPusher(api.deps, ending.signal, async () => ending.abort());
    const sha256 = createHash('sha256').update('the next admin key of this installation').digest('hex');
    expect((await edge.served('booted', 2)).keys).toContainEqual({ sha256, scopes: ['admin'] });
  });
});

describe('endpoints', () => {
  it('are read as a page with one statement, their variants, versions and models included', async () => {
    const query = `{ endpoints(first: 5) { nodes { name revision acknowledged
      variants { weight modelVersion { number model { name } artifact { digest byteLength } } } } } }`;
    const statements = await api.statements(async () => {
      const answer = await api.execute(query);
      expect(answer.errors).toBeUndefined();
      expect(answer.data.endpoints.nodes).toHaveLength(5);
    });
    expect(statements.filter((sql) => !sql.includes('"ApiKey"'))).toHaveLength(1);
  });
});
