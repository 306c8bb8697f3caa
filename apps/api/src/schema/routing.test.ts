/** Shadows, settings, history and roll back through GraphQL, over a stand-in of the edge that verifies pushes. */
import { describe, expect, it } from 'vitest';
import { seedVersion } from '../../../../test/testkit/seed.ts';
import { createProject } from '../domain/project.ts';
import { mutate } from './testing.ts';
import { api, deploy, ENDPOINT, edge, errorOf, HISTORY, idOf, rows, run, served, versions } from './testing-routing.ts';

describe('shadows', () => {
  it('are deployed beside the variants, and gone with the next deploy that names none', async () => {
    const shadow = [{ modelVersionId: idOf(2), share: 0.25 }, { modelVersionId: idOf(3) }];
    const { endpoint } = await deploy('shadowed', [[1, 1]], { shadow });
    expect(endpoint.variants).toEqual([{ weight: 1, modelVersion: { number: 1 } }]);
    expect(endpoint.shadow).toEqual([
      { share: 0.25, modelVersion: { number: 2 } },
      { share: 1, modelVersion: { number: 3 } },
    ]);
    const route = await edge.served('shadowed', 1);
    expect(route.variants.map(({ version }) => version)).toEqual([1]);
    expect(route.shadows.map(({ version, weight }) => [version, weight])).toEqual([
      [2, 0.25],
      [3, 1],
    ]);
    for (const { artifactDigest } of versions) expect(edge.artifacts.has(artifactDigest)).toBe(true);
    expect((await deploy('shadowed', [[1, 1]])).endpoint.shadow).toEqual([]);
    expect((await edge.served('shadowed', 2)).shadows).toEqual([]);
  });

  it('stay when keys change', async () => {
    await deploy('kept', [[1, 1]], { shadow: { modelVersionId: idOf(2), share: 0.5 } });
    await mutate(api, 'createApiKey', 'secret', { name: 'k', scopes: ['read'] });
    expect((await edge.served('kept', 2)).shadows).toMatchObject([{ version: 2, weight: 0.5 }]);
  });

  it('are refused where they cannot be compared', async () => {
    const price = { truth: [1, 2], values: [1, 2] };
    const regression = await seedVersion(api.deps, { projectId: api.projectId, modelName: 'price', rows: price });
    const other = { ...rows, classes: ['a', 'c'] };
    const classes = await seedVersion(api.deps, { projectId: api.projectId, modelName: 'other', rows: other });
    const refused = async (shadow: object[]) => errorOf(await deploy('bad', [[1, 1]], { shadow }));
    expect(await refused([{ modelVersionId: idOf(1) }])).toEqual([['DUPLICATE_VARIANT', 'shadow.0.modelVersionId']]);
    expect(await refused([{ modelVersionId: idOf(2), share: 1.5 }])).toEqual([['INVALID_INPUT', 'shadow.0.share']]);
    for (const { id } of [regression, classes])
      expect(await refused([{ modelVersionId: idOf(2) }, { modelVersionId: id }])).toEqual([
        ['VARIANTS_DIFFER', 'shadow.1.modelVersionId'],
      ]);
  });
});

describe('settings', () => {
  const update = (endpoint: string, settings: object, more: object = {}) =>
    run('updateEndpointSettings', { endpoint, settings, ...more });

  it('have defaults, change part by part, and stay over deploys', async () => {
    const defaults = {
      cors: [],
      logged: [],
      drift: true,
      samples: null,
      limits: { instances: 1000, bodyBytes: null, textLength: 10_000, computeMs: null },
    };
    expect((await deploy('set', [[1, 1]])).endpoint.settings).toEqual(defaults);
    const first = { logged: ['x'], limits: { instances: 10, computeMs: 50 } };
    const changed = { ...defaults, ...first, limits: { ...defaults.limits, ...first.limits } };
    expect((await deploy('set', [[1, 1]], { settings: first })).endpoint.settings).toEqual(changed);
    expect((await deploy('set', [[2, 1]])).endpoint.settings).toEqual(changed);
    const samples = { rate: 0.1, retentionDays: 7 };
    const more = { cors: ['https://app.example.com'], drift: false, samples, limits: { computeMs: null } };
    const { endpoint } = await update('set', more);
    const after = { ...changed, ...more, limits: { ...changed.limits, computeMs: null } };
    expect(endpoint).toMatchObject({ revision: 4, settings: after, variants: [{ modelVersion: { number: 2 } }] });
    expect((await edge.served('set', 4)).settings).toEqual(after);
    const last = await update('set', { samples: null, cors: null, limits: null }, { events: 'DURABLE' });
    expect(last.endpoint.settings).toEqual({ ...defaults, drift: false, logged: ['x'] });
    expect((await edge.served('set', 5)).events).toBe('DURABLE');
  });

  it.each([
    ['an unknown column', { logged: ['x', 'y'] }, 'UNKNOWN_COLUMN', 'settings.logged.1'],
    ['an origin with a path', { cors: ['https://a.example/x'] }, 'INVALID_INPUT', 'settings.cors.0'],
    ['too much sampling', { samples: { rate: 2, retentionDays: 7 } }, 'INVALID_INPUT', 'settings.samples.rate'],
    ['too many instances', { limits: { instances: 1001 } }, 'INVALID_INPUT', 'settings.limits.instances'],
  ])('are refused: %s', async (_, settings, code, field) => {
    await deploy('strict', [[1, 1]]);
    expect(errorOf(await update('strict', settings))).toEqual([[code, field]]);
    expect(errorOf(await deploy('strict', [[1, 1]], { settings }))).toEqual([[code, field]]);
  });

  it('are of endpoints of the project alone', async () => {
    await deploy('own', [[1, 1]]);
    const { secret } = await createProject(api.deps, { name: 'stranger-of-settings' });
    const input = { endpoint: 'own', settings: { drift: false } };
    expect(errorOf(await mutate(api, 'updateEndpointSettings', ENDPOINT, input, secret))).toEqual([
      ['NOT_FOUND', 'endpoint'],
    ]);
    expect(errorOf(await mutate(api, 'rollBack', ENDPOINT, { endpoint: 'own' }, secret))).toEqual([
      ['NOT_FOUND', 'endpoint'],
    ]);
    expect(errorOf(await mutate(api, 'cancelRamp', ENDPOINT, { endpoint: 'own' }, secret))).toEqual([
      ['NOT_FOUND', 'endpoint'],
    ]);
  });
});

describe('keys', () => {
  it('reach the endpoints that they are for, with their limits', async () => {
    await deploy('limited', [[1, 1]]);
    await deploy('unlimited', [[1, 1]]);
    const key = (sha256: string, more: object) =>
      api.deps.prisma.apiKey.create({
        data: { projectId: api.projectId, name: 'k', prefix: 'k', sha256, scopes: ['predict'], ...more },
      });
    const [mine, all] = ['a'.repeat(64), 'b'.repeat(64)];
    await key(mine, { endpoints: ['limited'], requestsPerMinute: 5, requestsPerDay: 100 });
    await key(all, { endpoints: [] });
    await deploy('limited', [[1, 1]]);
    await deploy('unlimited', [[1, 1]]);
    const keysOf = async (name: string) =>
      (await edge.served(name, 2)).keys.filter(({ scopes }) => scopes.includes('predict'));
    const everywhere = { sha256: all, scopes: ['predict'] };
    expect(await keysOf('limited')).toEqual([
      { sha256: mine, scopes: ['predict'], requestsPerMinute: 5, requestsPerDay: 100 },
      everywhere,
    ]);
    expect(await keysOf('unlimited')).toEqual([everywhere]);
    await api.deps.prisma.apiKey.deleteMany({ where: { sha256: { in: [mine, all] } } });
  });
});

describe('history and roll back', () => {
  it('lists revisions newest first, a page at a time, and serves an earlier one again', async () => {
    await deploy('history', [[1, 1]], { shadow: [{ modelVersionId: idOf(3), share: 0.5 }] });
    await deploy('history', [[2, 1]], { events: 'DURABLE' });
    await run('updateEndpointSettings', { endpoint: 'history', settings: { logged: ['x'] } });
    const { endpoint } = await run('rollBack', { endpoint: 'history' });
    expect(endpoint.revision).toBe(4);
    expect(await served('history', 4)).toEqual([[1, 1]]);
    const page = (await api.execute(HISTORY, { name: 'history' })).data.endpoint.revisions;
    expect(page.totalCount).toBe(4);
    const settings = { logged: ['x'] };
    expect(page.nodes).toMatchObject([
      {
        number: 4,
        reason: 'ROLL_BACK',
        repeats: 1,
        events: 'DURABLE',
        settings,
        variants: [{ weight: 1, modelVersion: { number: 1 } }],
        shadow: [{ share: 0.5, modelVersion: { number: 3 } }],
        acknowledgedAt: expect.any(String),
      },
      { number: 3, reason: 'SETTINGS', repeats: null, settings, variants: [{ modelVersion: { number: 2 } }] },
      { number: 2, reason: 'DEPLOY', events: 'DURABLE', settings: { logged: [] }, shadow: [] },
    ]);
    expect(page.pageInfo.hasNextPage).toBe(true);
    const rest = await api.execute(HISTORY, { name: 'history', after: page.pageInfo.endCursor });
    expect(rest.data.endpoint.revisions.nodes).toMatchObject([{ number: 1, events: 'BUFFERED' }]);
  });

  it('goes to the revision that is named, without a name to the newest other one, whatever lies between', async () => {
    await deploy('there', [[1, 1]]);
    await deploy('there', [[2, 1]]);
    for (let i = 0; i < 3; i++) await run('updateEndpointSettings', { endpoint: 'there', settings: {} });
    await deploy('there', [[2, 7]]); // the same shares
    await run('rollBack', { endpoint: 'there' });
    expect(await served('there', 7)).toEqual([[1, 1]]);
    await run('rollBack', { endpoint: 'there', revision: 2, idempotencyKey: 'once' });
    const again = await run('rollBack', { endpoint: 'there', revision: 2, idempotencyKey: 'once' });
    expect(again.endpoint.revision).toBe(8);
    expect(await served('there', 8)).toEqual([[2, 1]]);
  });

  it('brings back what was undeployed', async () => {
    await deploy('back', [[1, 1]]);
    await run('undeploy', { endpoint: 'back' });
    expect((await run('rollBack', { endpoint: 'back' })).userErrors).toEqual([]);
    expect(await served('back', 3)).toEqual([[1, 1]]);
  });

  it('refuses what was never served', async () => {
    await deploy('only', [[1, 1]]);
    const refused = async (revision?: number) => errorOf(await run('rollBack', { endpoint: 'only', revision }));
    expect(await refused()).toEqual([['NOTHING_TO_ROLL_BACK', 'endpoint']]);
    expect(await refused(9)).toEqual([['NOT_FOUND', 'revision']]);
    expect(await refused(2)).toEqual([['NOT_FOUND', 'revision']]); // the one that it would be itself
    await run('undeploy', { endpoint: 'only' });
    await deploy('only', [[1, 1]]);
    expect(await refused(2)).toEqual([['NOT_DEPLOYED', 'revision']]);
    expect(errorOf(await run('rollBack', { endpoint: 'never' }))).toEqual([['NOT_FOUND', 'endpoint']]);
    expect((await edge.served('only', 3)).revision).toBe(3);
  });
});

describe('a page of endpoints', () => {
  it('is read with a number of statements that does not grow with it', async () => {
    const query = (first: number) => `{ endpoints(first: ${first}) { nodes { name settings { drift } variants { weight
      modelVersion { number } } shadow { share modelVersion { number } comparison { n } } ramp { status
      modelVersion { number } } revisions(first: 2) { nodes { number variants { weight } } } } } }`;
    const count = async (first: number) => {
      const statements = await api.statements(async () => {
        const { errors, data } = await api.execute(query(first));
        expect(errors).toBeUndefined();
        expect(data.endpoints.nodes).toHaveLength(first);
      });
      return statements.filter((sql) => !sql.includes('"ApiKey"')).length;
    };
    for (const name of ['page-1', 'page-2']) {
      await deploy(name, [[1, 1]], { shadow: [{ modelVersionId: idOf(3) }] });
      await run('startRamp', { endpoint: name, modelVersionId: idOf(2) });
    }
    await count(2);
    const few = await count(2);
    expect(await count(10)).toBe(few);
  });
});
