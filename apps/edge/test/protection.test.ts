/** Who may do what at the edge, how often, from which pages, and that no log tells a key. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EndpointSettings, type Route, type RouteKey, type Scope } from '../src/contract.ts';
import { PLACES } from '../src/places.ts';
import { binaryManifest, routeOf, sha256 } from './manifests.ts';
import { binaryModel } from './models.ts';
import { ADMIN_SECRET, CLIENT_KEY, KEYS, type Stand, startStand } from './stand.ts';

const model = binaryModel();
const ENDPOINT = 'guarded';
const PAGE = 'https://app.example.com';
const secretOf = (name: string) => `anneal_${name.padEnd(32, '0')}`;
const keyOf = (name: string, scopes: Scope[], limits: Partial<RouteKey> = {}): RouteKey => ({
  sha256: sha256(secretOf(name)),
  scopes,
  ...limits,
});
const PREDICT = secretOf('predict');
const FEEDBACK = secretOf('feedback');

let stand: Stand;
let revision = 0;
/** Serves the model under a name for these keys. */
async function push(endpoint: string, keys: Route['keys'], more: Partial<Route> = {}): Promise<void> {
  const route = routeOf(endpoint, ++revision, [[binaryManifest(model), 1]], keys, more);
  expect((await stand.pushRoute(route)).status).toBe(200);
}
beforeAll(async () => {
  stand = await startStand();
  await stand.pushArtifact(model);
  await push(ENDPOINT, [...KEYS, keyOf('predict', ['predict']), keyOf('feedback', ['feedback'])], {
    settings: EndpointSettings.parse({ cors: [PAGE] }),
  });
  await push('open', KEYS, { settings: EndpointSettings.parse({ cors: ['*'] }) });
});
afterAll(() => stand.close());

const ROWS = { instances: [{ age: 30, sex: 'male' }] };
const INPUTS = [
  { name: 'age', shape: [1], datatype: 'FP64', data: [30] },
  { name: 'sex', shape: [1], datatype: 'BYTES', data: ['male'] },
];
const bodyOf = (path: string) => (path.endsWith('/infer') ? { inputs: INPUTS } : ROWS);
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const predict = (endpoint: string, key: string, headers: Record<string, string> = {}) =>
  stand.predict(endpoint, ROWS, { ...bearer(key), ...headers });
const errorCode = async (response: Response): Promise<string> => (await response.json()).error.code;

/** Places that need a key, with their paths filled in. */
const closed = PLACES.filter(({ access }) => access === 'KEY').flatMap(({ paths, methods }) =>
  paths.map((path) => ({
    path: path.replace('{version}', '1').replace(/\{(endpoint|model)\}/, ENDPOINT),
    method: methods[0] ?? '',
  })),
);
const ask = (path: string, method: string, headers: Record<string, string>) =>
  stand.request(path, {
    method,
    headers: { ...headers, 'content-type': 'application/json' },
    ...(method === 'POST' && { body: JSON.stringify(bodyOf(path)) }),
  });

describe('keys of endpoints', () => {
  test.each(closed)('$method $path: predict predicts, feedback tells, neither does more', async ({ path, method }) => {
    const tells = path.endsWith('/feedback');
    const [predictor, teller] = [await ask(path, method, bearer(PREDICT)), await ask(path, method, bearer(FEEDBACK))];
    expect(predictor.status).toBe(tells ? 403 : 200);
    expect(teller.status).toBe(tells ? 400 : 403); // rows are no feedback: it got as far as that
  });

  test('feedback with a key for it is taken', async () => {
    const { predictions } = await (await predict(ENDPOINT, PREDICT)).json();
    const response = await stand.request(`/v1/endpoints/${ENDPOINT}/feedback`, {
      method: 'POST',
      headers: { ...bearer(FEEDBACK), 'content-type': 'application/json' },
      body: JSON.stringify({ id: predictions[0].id, label: 'yes' }),
    });
    expect(await response.json()).toEqual({ accepted: 1 });
  });

  test('a key of another endpoint is a stranger', async () => {
    expect((await predict('open', PREDICT)).status).toBe(401);
  });
});

describe('rate limits', () => {
  test('cost a key without limits nothing: no header, no object', async () => {
    const response = await predict(ENDPOINT, PREDICT);
    expect(response.headers.get('ratelimit')).toBeNull();
    expect(response.headers.get('ratelimit-policy')).toBeNull();
  });

  test('let a burst pass, refuse the rest with when to come again, and let pass then', async () => {
    await push('paced', [keyOf('paced', ['predict'], { requestsPerMinute: 60 })]);
    const began = performance.now();
    const answers = await Promise.all(Array.from({ length: 40 }, () => predict('paced', secretOf('paced'))));
    const ok = answers.filter(({ status }) => status === 200);
    expect(ok.length).toBeGreaterThanOrEqual(10);
    expect(ok.length).toBeLessThanOrEqual(11 + (performance.now() - began) / 1000);
    expect(ok[0]?.headers.get('ratelimit-policy')).toBe('"minute";q=60;w=60');
    expect(ok[0]?.headers.get('ratelimit')).toMatch(/^"minute";r=\d;t=\d+$/);
    const refused = answers.find(({ status }) => status === 429);
    if (!refused) throw new Error('none was refused');
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(refused.headers.get('ratelimit')).toMatch(/^"minute";r=0;t=10$/);
    expect(await refused.json()).toEqual({
      error: { code: 'RATE_LIMITED', message: expect.stringContaining('60 requests a minute, 10 of them at once') },
    });
    const again = async () => (await predict('paced', secretOf('paced'))).status;
    await expect.poll(again, { timeout: 5_000, interval: 100 }).toBe(200);
  });

  test('count a key over all its endpoints, in every form, and tell /v2 in its own form', async () => {
    const key = keyOf('shared', ['predict'], { requestsPerDay: 4 });
    await push('left', [key]);
    await push('right', [key]);
    const headers = bearer(secretOf('shared'));
    expect((await ask('/v1/endpoints/left/predict', 'POST', headers)).status).toBe(200);
    expect((await ask('/v1/endpoints/right/invocations', 'POST', headers)).status).toBe(200);
    expect((await ask('/v2/models/left/infer', 'POST', headers)).status).toBe(200);
    const last = await ask('/v2/models/right', 'GET', headers);
    expect(last.headers.get('ratelimit')).toMatch(/^"day";r=0;t=\d+$/);
    const refused = await ask('/v2/models/right/infer', 'POST', headers);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(86_400);
    expect(await refused.json()).toEqual({ error: expect.stringContaining('4 requests a day (UTC)') });
  });

  test('are not disturbed by clients that hang up while a block is fetched', async () => {
    for (const round of [1, 2, 3, 4, 5]) {
      const name = `hasty${round}`;
      await push(name, [keyOf(name, ['predict'], { requestsPerMinute: 6_000 })]);
      const impatient = (ms: number) =>
        stand.predict(name, ROWS, bearer(secretOf(name)), AbortSignal.timeout(ms)).catch(() => undefined);
      const patient = () => predict(name, secretOf(name)).then(({ status }) => status);
      const answers = await Promise.all([impatient(1), patient(), impatient(2), impatient(4), patient(), patient()]);
      expect(answers.filter((answer) => typeof answer === 'number')).toEqual([200, 200, 200]);
    }
  });

  test('a day’s count survives a crash, and other keys are not concerned', async () => {
    await push('daily', [keyOf('daily', ['predict'], { requestsPerDay: 3 }), ...KEYS]);
    const ask = async () => (await predict('daily', secretOf('daily'))).status;
    expect([await ask(), await ask(), await ask(), await ask()]).toEqual([200, 200, 200, 429]);
    await stand.crash();
    const refused = await predict('daily', secretOf('daily'));
    expect(await errorCode(refused)).toBe('QUOTA_EXCEEDED');
    expect((await predict('daily', CLIENT_KEY)).status).toBe(200);
  });
});

describe('CORS', () => {
  const preflight = (endpoint: string, origin: string, end = 'predict') =>
    stand.request(`/v1/endpoints/${endpoint}/${end}`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
    });
  const crossOrigin = (response: Response) =>
    [...response.headers.keys()].filter((name) => /^access-control/.test(name));

  test('a listed origin may call: the preflight says how, without a key', async () => {
    const response = await preflight(ENDPOINT, PAGE);
    expect(response.status).toBe(204);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'access-control-allow-origin': PAGE,
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': expect.stringContaining('authorization, content-type, inference-header-content'),
      'access-control-max-age': '600',
      vary: 'origin',
    });
    expect((await preflight('open', 'https://any.example')).headers.get('access-control-allow-origin')).toBe('*');
  });

  test.each([
    [ENDPOINT, 'https://evil.example'],
    [ENDPOINT, 'https://app.example.com.evil.example'],
    [ENDPOINT, 'null'],
    ['absent', PAGE],
    ['No_Name', PAGE],
  ])('of %s for %s tells nothing', async (endpoint, origin) => {
    const response = await preflight(endpoint, origin);
    expect(response.status).toBe(204);
    expect(crossOrigin(response)).toEqual([]);
    expect(response.headers.get('vary')).toBe('origin');
  });

  test('answers and refusals can be read by a listed page and by no other', async () => {
    for (const [key, status] of [
      [PREDICT, 200],
      ['anneal_unknown_unknown', 401],
    ] as const) {
      const response = await predict(ENDPOINT, key, { origin: PAGE });
      expect(response.status).toBe(status);
      expect(response.headers.get('access-control-allow-origin')).toBe(PAGE);
      expect(response.headers.get('access-control-expose-headers')).toMatch(
        /x-request-id, x-anneal-revision.*ratelimit/,
      );
      expect(response.headers.get('vary')).toBe('origin');
      const other = await predict(ENDPOINT, key, { origin: 'https://evil.example' });
      expect(other.status).toBe(status);
      expect(crossOrigin(other)).toEqual([]);
    }
    expect(crossOrigin(await predict(ENDPOINT, PREDICT))).toEqual([]);
  });

  test('is for endpoints alone', async () => {
    for (const path of [`/admin/routes/${ENDPOINT}`, '/healthz', '/nowhere']) {
      const response = await stand.request(path, { method: 'OPTIONS', headers: { origin: PAGE } });
      expect(response.status).toBe(path === '/nowhere' ? 404 : 405);
      expect(crossOrigin(response)).toEqual([]);
    }
  });
});

test('no log tells a key, wherever a client puts it', async () => {
  const before = stand.log.length;
  const all = [PREDICT, FEEDBACK, secretOf('stranger'), CLIENT_KEY, ADMIN_SECRET];
  for (const key of all) {
    const headers = { ...bearer(key), 'content-type': 'application/json' };
    const post = (path: string, body: unknown) =>
      stand.request(path, { method: 'POST', headers, body: JSON.stringify(body) });
    await post(`/v1/endpoints/${ENDPOINT}/predict?key=${key}`, ROWS);
    await post(`/v1/endpoints/${key}/predict`, ROWS);
    await post(`/v2/models/${ENDPOINT}/versions/${key}/infer`, { inputs: INPUTS });
    await post(`/v1/endpoints/${ENDPOINT}/predict`, { instances: [{ age: key, sex: 'male' }] });
    await post(`/v1/endpoints/${ENDPOINT}/predict`, { instances: [{ [key]: 1 }] });
    await post(`/v1/endpoints/${ENDPOINT}/feedback`, { id: key, label: key });
    await post(`/${key}`, ROWS);
    await stand.request('/healthz', { headers: { 'x-anneal-version': key, origin: key, cookie: key } });
    await stand.request(`/admin/routes/${key}`, { method: 'PUT', headers, body: '{}' });
  }
  await predict(ENDPOINT, PREDICT, { 'x-request-id': PREDICT });
  await expect.poll(() => stand.log.length - before).toBeGreaterThanOrEqual(9 * all.length + 1);
  const lines = stand.log.slice(before).join('\n');
  for (const key of all) expect(lines).not.toContain(key);
  expect(lines).toContain(`"path":"/v1/endpoints/{endpoint}/predict","endpoint":"${ENDPOINT}"`);
});
