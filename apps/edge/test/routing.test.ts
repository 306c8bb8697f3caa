/** Which version answers, what runs behind the answer, and what the events say of it: in a real workerd. */
import type { PredictionEvent } from '@anneal/api/contract';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EndpointSettings, type ErrorBody, type PredictResponse, type Route } from '../src/contract.ts';
import { binaryManifest, regressionManifest, routeOf, shadowOf } from './manifests.ts';
import { binaryModel, denseModel, regressionModel, slowModel } from './models.ts';
import { CLIENT_KEY, KEYS, type Stand, startStand } from './stand.ts';

// At 30 years: men are yes by the first and no by the second.
const [one, two, three] = [binaryModel(), binaryModel(-4), binaryModel(0.5)];
const [first, second, third] = [binaryManifest(one), binaryManifest(two), binaryManifest(three)];
const rows = [
  { age: 30, sex: 'male', 'ticket number': ' A/5 ' },
  { age: 30, sex: 'female' },
];

let stand: Stand;
beforeAll(async () => {
  stand = await startStand();
  for (const bytes of [one, two, three]) expect((await stand.pushArtifact(bytes)).status).toBe(200);
});
afterAll(() => stand.close());

async function route(name: string, revision: number, variants: Parameters<typeof routeOf>[2], more?: Partial<Route>) {
  const pushed = await stand.pushRoute(routeOf(name, revision, variants, KEYS, more));
  expect(await pushed.json()).toEqual({ revision });
}
async function predict(name: string, headers: Record<string, string> = {}, more: object = {}) {
  const response = await stand.predict(name, { instances: rows, ...more }, headers);
  const body: PredictResponse = await response.json();
  expect(response.status).toBe(200);
  expect(response.headers.get('x-anneal-revision')).toBe(String(body.revision));
  return body;
}
const eventsOf = (name: string) => stand.api.events.filter(({ endpoint }) => endpoint === name);
const shadowsOf = (name: string) => eventsOf(name).filter(({ role }) => role === 'SHADOW');
const primariesOf = (name: string) => eventsOf(name).filter(({ role }) => role !== 'SHADOW');
const byId = (a: PredictionEvent, b: PredictionEvent) => (a.id < b.id ? -1 : 1);
const healthz = async () => (await stand.request('/healthz')).json();

describe('a shadow', () => {
  test('answers each request again after the client has its answer, with an event that names it', async () => {
    await route('shadowed', 7, [[first, 1]], { shadows: [shadowOf(second, 1, 2), shadowOf(third, 1, 3)] });
    const answer = await predict('shadowed');
    expect(answer).toMatchObject({ revision: 7, version: 1 });
    await stand.api.until(() => eventsOf('shadowed').length === 3);
    const [primary] = primariesOf('shadowed');
    expect(primary).not.toHaveProperty('role');
    expect(primary?.predictions).toMatchObject([{ label: 'yes' }, { label: 'no' }]);
    expect(shadowsOf('shadowed').toSorted((a, b) => (a.modelVersionId < b.modelVersionId ? -1 : 1))).toMatchObject([
      {
        role: 'SHADOW',
        shadowOf: primary?.id,
        modelVersionId: 'version-2',
        revision: 7,
        status: 'OK',
        instances: 2,
        predictions: [{ label: 'no', score: expect.closeTo(0.8808, 4) }, { label: 'no' }],
      },
      { role: 'SHADOW', shadowOf: primary?.id, modelVersionId: 'version-3', status: 'OK' },
    ]);
  });

  test('gets its share of the requests', async () => {
    await route('sampled', 1, [[first, 1]], { shadows: [shadowOf(second, 0.3, 2)] });
    for (let i = 0; i < 200; i++) await predict('sampled');
    await stand.api.until(() => primariesOf('sampled').length === 200);
    await expect.poll(async () => (await healthz()).shadows.pending).toBe(0);
    // 0.3 of 200 is 60; outside 30..90 is six standard deviations away. Every shadow event is behind its primary's.
    await stand.api.until(() => shadowsOf('sampled').length >= 30);
    expect(shadowsOf('sampled').length).toBeLessThanOrEqual(90);
  });

  test('that cannot answer harms nobody: its event says why', async () => {
    const fares = regressionModel();
    await stand.pushArtifact(fares);
    const columns = regressionManifest(fares).columns.filter(({ name }) => name !== 'ticket number');
    await route('harmless', 1, [[first, 1]], { shadows: [shadowOf({ ...regressionManifest(fares), columns }, 1, 2)] });
    await predict('harmless');
    await stand.api.until(() => eventsOf('harmless').length === 2);
    expect(shadowsOf('harmless')).toMatchObject([
      { status: 'ERROR', errorCode: 'UNKNOWN_COLUMN', predictions: null, instances: 2 },
    ]);
    expect(primariesOf('harmless')).toMatchObject([{ status: 'OK' }]);
  });

  test('that is slow delays no answer', async () => {
    const slow = slowModel(20);
    await stand.pushArtifact(slow);
    await route('slow', 1, [[first, 1]], { shadows: [shadowOf(binaryManifest(slow), 1, 2)] });
    await predict('slow'); // both are loaded
    await stand.api.until(() => eventsOf('slow').length === 2);
    const started = performance.now();
    await predict('slow', {}, { instances: Array.from({ length: 100 }, () => rows[0]) });
    const answeredAfter = performance.now() - started;
    await stand.api.until(() => eventsOf('slow').length === 4);
    const [shadow] = shadowsOf('slow').filter(({ instances }) => instances === 100);
    expect(answeredAfter).toBeLessThan((shadow?.durationUs ?? 0) / 2000);
  });

  test('is skipped and counted where too many wait', async () => {
    const shadows = Array.from({ length: 40 }, (_, i) => shadowOf(second, 1, i + 2));
    await route('many', 1, [[first, 1]], { shadows });
    const { skipped } = (await healthz()).shadows;
    await predict('many');
    expect((await healthz()).shadows.skipped - skipped).toBe(24);
    await expect.poll(async () => (await healthz()).shadows.pending).toBe(0);
    await stand.api.until(() => shadowsOf('many').length === 16);
  });

  test('is warm before the route is served; one that does not load refuses the route', async () => {
    const absent = binaryManifest(denseModel(4));
    const refused = await stand.pushRoute(
      routeOf('cold', 1, [[first, 1]], KEYS, { shadows: [shadowOf(absent, 1, 2)] }),
    );
    expect(refused.status).toBe(409);
    const { error }: ErrorBody = await refused.json();
    expect(error.code).toBe('ARTIFACT_MISSING');
  });

  test('follows inferences of the open protocol too', async () => {
    await route('infer', 1, [[first, 1]], { shadows: [shadowOf(second, 1, 2)] });
    const response = await stand.request('/v2/models/infer/infer', {
      method: 'POST',
      headers: { authorization: `Bearer ${CLIENT_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        inputs: [
          { name: 'age', shape: [1], datatype: 'FP64', data: [30] },
          { name: 'sex', shape: [1], datatype: 'BYTES', data: ['male'] },
        ],
      }),
    });
    expect(response.headers.get('x-anneal-revision')).toBe('1');
    expect(await response.json()).toMatchObject({ model_version: '1', parameters: { anneal_revision: 1 } });
    await stand.api.until(() => eventsOf('infer').length === 2);
    expect(shadowsOf('infer')).toMatchObject([
      { predictions: [{ label: 'no' }], shadowOf: primariesOf('infer')[0]?.id },
    ]);
  });
});

describe('a version in a header', () => {
  const asked = (version: string) => ({ 'x-anneal-version': version });

  test('is the one that answers, variant or shadow, and runs no shadow', async () => {
    await route('asked', 1, [[first, 1]], { shadows: [shadowOf(second, 1, 2)] });
    expect(await predict('asked', asked('2'))).toMatchObject({ version: 2, predictions: [{ label: 'no' }, {}] });
    expect(await predict('asked', asked('1'))).toMatchObject({ version: 1, predictions: [{ label: 'yes' }, {}] });
    await predict('asked', {}, { routeKey: 'user-1' });
    await stand.api.until(() => eventsOf('asked').length === 4);
    const said = eventsOf('asked').map(({ modelVersionId, role, selectedBy }) => [modelVersionId, role, selectedBy]);
    expect(said.toSorted()).toEqual(
      [
        ['version-2', undefined, 'VERSION'],
        ['version-1', undefined, 'VERSION'],
        ['version-1', undefined, 'ROUTE_KEY'],
        ['version-2', 'SHADOW', undefined],
      ].toSorted(),
    );
  });

  test('is taken by the forms of MLflow and the open protocol, whose answers tell the revision', async () => {
    await route('forms', 3, [
      [first, 1],
      [second, 1e-6],
    ]);
    const post = (path: string, body: object, version: string) =>
      stand.request(path, {
        method: 'POST',
        headers: { authorization: `Bearer ${CLIENT_KEY}`, 'content-type': 'application/json', ...asked(version) },
        body: JSON.stringify(body),
      });
    const inputs = [
      { name: 'age', shape: [1], datatype: 'FP64', data: [30] },
      { name: 'sex', shape: [1], datatype: 'BYTES', data: ['male'] },
    ];
    const mlflow = await post('/v1/endpoints/forms/invocations', { instances: rows }, '2');
    expect(mlflow.headers.get('x-anneal-revision')).toBe('3');
    expect(await mlflow.json()).toMatchObject({ version: 2, predictions: ['no', 'no'] });
    const infer = await post('/v2/models/forms/infer', { inputs }, '2');
    expect(await infer.json()).toMatchObject({ model_version: '2', parameters: { anneal_revision: 3 } });
    const path = await post('/v2/models/forms/versions/2/infer', { inputs }, '2');
    expect(await path.json()).toMatchObject({ model_version: '2' });
    const contradiction = await post('/v2/models/forms/versions/2/infer', { inputs }, '1');
    expect([contradiction.status, await contradiction.json()]).toEqual([
      400,
      { error: 'the path names version 2, x-anneal-version names 1' },
    ]);
  });

  test.each([
    ['9', 404, 'NOT_FOUND', /no version 9: expected one of 1, 2$/],
    ['latest', 400, 'INVALID_VERSION', /expected a version's number, got latest/],
  ])('%s is refused: %i', async (version, status, code, message) => {
    await route('refusing', 1, [[first, 1]], { shadows: [shadowOf(second, 0.5, 2)] });
    const response = await stand.predict('refusing', { instances: rows }, asked(version));
    const { error }: ErrorBody = await response.json();
    expect([response.status, error.code]).toEqual([status, code]);
    expect(error.message).toMatch(message);
  });
});

describe('logged columns', () => {
  test('go with the events, of shadows too: texts, without what is missing', async () => {
    const settings = EndpointSettings.parse({ logged: ['sex', 'ticket number', 'age'] });
    await route('logged', 1, [[first, 1]], { settings, shadows: [shadowOf(second, 1, 2)] });
    const instances = [...rows, { age: null, sex: `x\0\ud800${'y'.repeat(300)}` }];
    await predict('logged', {}, { instances });
    await stand.api.until(() => eventsOf('logged').length === 2);
    const slices = [
      { sex: 'male', 'ticket number': 'A/5', age: '30' },
      { sex: 'female', age: '30' },
      { sex: `x\ufffd${'y'.repeat(197)}` },
    ];
    for (const event of eventsOf('logged')) expect(event.slices).toEqual(slices);
  });

  test('are not sent where none is set', async () => {
    await route('unlogged', 1, [[first, 1]]);
    await predict('unlogged');
    await stand.api.until(() => eventsOf('unlogged').length === 1);
    expect(Object.keys(eventsOf('unlogged')[0] ?? {})).toEqual(
      'formatVersion id endpoint revision modelVersionId time durationUs status errorCode instances predictions'.split(
        ' ',
      ),
    );
  });
});

describe('weights', () => {
  test('divide the requests by key, and the same key stays', async () => {
    const names = ['even', 'uneven'];
    await route('even', 1, [
      [first, 0.5],
      [second, 0.5],
    ]);
    await route('uneven', 1, [
      [first, 0.9],
      [second, 0.1],
    ]);
    for (const [name, expected] of [
      ['even', 0.5],
      ['uneven', 0.1],
    ] as const) {
      const versions = new Map<string, number>();
      for (let i = 0; i < 300; i++) {
        const routeKey = `user-${i}`;
        versions.set(routeKey, (await predict(name, {}, { routeKey })).version);
      }
      const share = [...versions.values()].filter((version) => version === 2).length / 300;
      expect(Math.abs(share - expected)).toBeLessThan(0.1);
      for (const [routeKey, version] of [...versions].slice(0, 20))
        expect((await predict(name, {}, { routeKey })).version).toBe(version);
    }
    await stand.api.until(() => names.every((name) => eventsOf(name).length === 320));
    expect(eventsOf('even').every(({ selectedBy, revision }) => selectedBy === 'ROUTE_KEY' && revision === 1)).toBe(
      true,
    );
    expect(eventsOf('even').toSorted(byId)).toHaveLength(320);
  });
});
