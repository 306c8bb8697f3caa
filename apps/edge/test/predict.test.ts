import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ErrorBody, MAX_INSTANCES, type PredictResponse } from '../src/contract.ts';
import { binaryManifest, regressionManifest, routeOf, sha256 } from './manifests.ts';
import { binaryModel, regressionModel } from './models.ts';
import { CLIENT_KEY, KEYS, type Stand, startStand } from './stand.ts';

const model = binaryModel();
const manifest = binaryManifest(model);
const TRAIN_KEY = 'train-key-0123456789abcdef';

let stand: Stand;
beforeAll(async () => {
  stand = await startStand();
  await stand.pushArtifact(model);
  const keys = [...KEYS, { sha256: sha256(TRAIN_KEY), scopes: ['train' as const] }];
  const pushed = await stand.pushRoute(routeOf('titanic', 1, [[manifest, 1]], keys));
  expect(pushed.status).toBe(200);
});
afterAll(() => stand.close());

const errorOf = async (response: Response): Promise<ErrorBody['error'] & { status: number }> => {
  const body: ErrorBody = await response.json();
  return { status: response.status, ...body.error };
};
const instances = [{ age: 30, sex: 'male' }];

describe('predict', () => {
  test('answers in order, with version and ids', async () => {
    const response = await stand.predict('titanic', {
      instances: [
        { age: 30, sex: 'male', 'ticket number': 'A/5 21171', survived: 'no' },
        { age: '30', sex: 'female' },
        { age: null, sex: null },
      ],
    });
    expect(response.status).toBe(200);
    const body: PredictResponse = await response.json();
    expect(body).toMatchObject({ endpoint: 'titanic', revision: 1, model: 'titanic', version: 1 });
    expect(body.predictions).toMatchObject([
      { label: 'yes', score: expect.closeTo(0.8808, 4), probabilities: { no: expect.closeTo(0.1192, 4) } },
      { label: 'no', score: expect.closeTo(0.8808, 4) },
      { label: 'yes', score: 0.5 },
    ]);
    expect(new Set(body.predictions.map(({ id }) => id)).size).toBe(3);
    expect(body.predictions[2]?.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f-]{16}\.version1\.2$/);
  });

  test('answers a regression with values', async () => {
    const regression = regressionModel();
    await stand.pushArtifact(regression);
    await stand.pushRoute(routeOf('fares', 1, [[regressionManifest(regression), 1]], KEYS));
    const response = await stand.predict('fares', { instances: [{ age: 40, sex: 'male' }] });
    expect(await response.json()).toMatchObject({ predictions: [{ value: 9 }] });
  });

  test('answers a full batch', async () => {
    const many = Array.from({ length: MAX_INSTANCES }, (_, i) => ({ age: i % 80, sex: i % 2 ? 'male' : 'female' }));
    const body: PredictResponse = await (await stand.predict('titanic', { instances: many })).json();
    expect(body.predictions).toHaveLength(MAX_INSTANCES);
  });

  test('echoes a request id', async () => {
    const response = await stand.predict('titanic', { instances }, { 'x-request-id': 'my-id-1' });
    expect(response.headers.get('x-request-id')).toBe('my-id-1');
    const strange = await stand.predict('titanic', { instances }, { 'x-request-id': 'a b' });
    expect(strange.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe('refusals', () => {
  test.each<[string, unknown, number, string, string | undefined]>([
    ['broken JSON', '{"instances":[', 400, 'INVALID_JSON', undefined],
    ['no instances', { instances: [] }, 400, 'INVALID_REQUEST', 'instances'],
    ['too many', { instances: new Array(MAX_INSTANCES + 1).fill({}) }, 400, 'INVALID_REQUEST', 'instances'],
    ['a row that is no object', { instances: [{}, [1]] }, 400, 'INVALID_REQUEST', 'instances[1]'],
    ['an empty routeKey', { instances, routeKey: '' }, 400, 'INVALID_REQUEST', 'routeKey'],
    ['an unknown field', { instances, threshold: 0.1 }, 400, 'INVALID_REQUEST', undefined],
    ['an unknown column', { instances: [{ ...instances[0], agge: 1 }] }, 422, 'UNKNOWN_COLUMN', 'instances[0].agge'],
    ['an absent column', { instances: [...instances, { age: 1 }] }, 422, 'MISSING_COLUMN', 'instances[1].sex'],
    ['a wrong value', { instances: [{ age: 'old', sex: null }] }, 422, 'INVALID_VALUE', 'instances[0].age'],
  ])('%s', async (_, body, status, code, field) => {
    const response = await stand.predict('titanic', body);
    expect(response.status).toBe(status);
    expect(response.headers.get('x-anneal-revision')).toBe('1');
    expect(await errorOf(response)).toMatchObject({ code, ...(field === undefined ? {} : { field }) });
  });

  test('bytes that are no UTF-8, declared or streamed, but not U+FFFD that was sent', async () => {
    const body = (byte: string) => Buffer.from(JSON.stringify({ instances: [{ age: 30, sex: `é${byte}` }] }), 'latin1');
    const headers = { authorization: `Bearer ${CLIENT_KEY}`, 'content-type': 'application/json' };
    const send = (bytes: BodyInit) => {
      const init: RequestInit & { duplex: 'half' } = { method: 'POST', headers, body: bytes, duplex: 'half' };
      return stand.request('/v1/endpoints/titanic/predict', init);
    };
    for (const bytes of [body('\xff'), body('\xf0\x9f'), new Blob([body('\xff')]).stream()])
      expect(await errorOf(await send(bytes))).toMatchObject({ status: 400, code: 'INVALID_JSON' });
    const sent = await send(JSON.stringify({ instances: [{ age: 30, sex: 'é\ufffd' }] }));
    expect(sent.status).toBe(200);
  });

  test('without JSON', async () => {
    const response = await stand.predict('titanic', { instances }, { 'content-type': 'text/csv' });
    expect(await errorOf(response)).toMatchObject({ status: 415, code: 'UNSUPPORTED_MEDIA_TYPE' });
  });

  test('a body above the limit, declared or streamed', async () => {
    const large = JSON.stringify({ instances: [{ age: ' '.repeat(9 * 2 ** 20) }] });
    expect(await errorOf(await stand.predict('titanic', large))).toMatchObject({ status: 413, code: 'BODY_TOO_LARGE' });
    const init: RequestInit & { duplex: 'half' } = {
      method: 'POST',
      headers: { authorization: `Bearer ${CLIENT_KEY}`, 'content-type': 'application/json' },
      body: new Blob([large]).stream(),
      duplex: 'half',
    };
    const streamed = await stand.request('/v1/endpoints/titanic/predict', init);
    expect(await errorOf(streamed)).toMatchObject({ status: 413, code: 'BODY_TOO_LARGE' });
  });

  test.each<[string, string, Record<string, string>, number, string]>([
    ['no key', 'titanic', { authorization: '' }, 401, 'UNAUTHENTICATED'],
    ['another scheme', 'titanic', { authorization: `Basic ${CLIENT_KEY}` }, 401, 'UNAUTHENTICATED'],
    ['a foreign key', 'titanic', { authorization: 'Bearer foreign-key-0123456789' }, 401, 'UNAUTHENTICATED'],
    ['a key of scope train', 'titanic', { authorization: `Bearer ${TRAIN_KEY}` }, 403, 'FORBIDDEN'],
    ['an unknown endpoint without a key', 'absent', { authorization: '' }, 401, 'UNAUTHENTICATED'],
    ['an unknown endpoint with a key', 'absent', {}, 404, 'NOT_FOUND'],
    ['a name that cannot be', 'No_Name', {}, 404, 'NOT_FOUND'],
  ])('%s', async (_, endpoint, headers, status, code) => {
    expect(await errorOf(await stand.predict(endpoint, { instances }, headers))).toMatchObject({ status, code });
  });

  test('wrong methods and paths', async () => {
    const get = await stand.request('/v1/endpoints/titanic/predict');
    expect(get.headers.get('allow')).toBe('POST');
    expect(await errorOf(get)).toMatchObject({ status: 405, code: 'METHOD_NOT_ALLOWED' });
    for (const path of ['/', '/v1/endpoints/titanic', '/v1/endpoints/titanic/explain', '/admin'])
      expect(await errorOf(await stand.request(path, { method: 'POST' }))).toMatchObject({
        status: 404,
        code: 'NOT_FOUND',
      });
  });
});

test('healthz tells the build and the heap, and needs no key', async () => {
  const response = await stand.request('/healthz');
  expect(await response.json()).toMatchObject({
    ok: true,
    build: expect.stringMatching(/^[0-9a-f]{64}$/),
    wasm: expect.stringMatching(/^[0-9a-f]{64}$/),
    heapBytes: expect.any(Number),
    sessions: expect.any(Number),
    resets: 0,
  });
});

test('each request that reached a variant makes one event, a failed one too', async () => {
  await stand.pushRoute(routeOf('recorded', 4, [[manifest, 1]], KEYS));
  await stand.predict('recorded', { instances: [{ age: 'old', sex: null }, ...instances] });
  await stand.predict('recorded', '{');
  await stand.predict('recorded', { instances }, { authorization: '' });
  const good: PredictResponse = await (await stand.predict('recorded', { instances })).json();
  const recorded = () => stand.api.events.filter(({ endpoint }) => endpoint === 'recorded');
  await stand.api.until(() => recorded().length >= 2);
  const [failed, answered] = recorded().toSorted((a, b) => (a.status < b.status ? -1 : 1));
  expect(recorded()).toHaveLength(2);
  expect(answered).toMatchObject({
    id: good.predictions[0]?.id.split('.')[0],
    revision: 4,
    modelVersionId: 'version-1',
    status: 'OK',
    errorCode: null,
    instances: 1,
    predictions: [{ label: 'yes', score: expect.closeTo(0.8808, 4) }],
  });
  expect(failed).toMatchObject({ status: 'ERROR', errorCode: 'INVALID_VALUE', instances: 2, predictions: null });
});
