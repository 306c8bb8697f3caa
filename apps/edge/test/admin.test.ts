import { globSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PredictResponse, PUSH_WINDOW_SECONDS } from '../src/contract.ts';
import { binaryManifest, routeOf, sha256 } from './manifests.ts';
import { binaryModel, denseModel } from './models.ts';
import { ADMIN_SECRET, CLIENT_KEY, KEYS, type Stand, sign, startStand } from './stand.ts';

const [first, second] = [binaryModel(0), binaryModel(9)];
const [one, two] = [binaryManifest(first), binaryManifest(second)];
const instances = [{ age: 30, sex: 'female' }];

let stand: Stand;
beforeAll(async () => {
  stand = await startStand();
  for (const model of [first, second]) expect((await stand.pushArtifact(model)).status).toBe(200);
});
afterAll(() => stand.close());

const codeOf = async (response: Response) => {
  const body: { error: { code: string; message: string } } = await response.json();
  return `${response.status} ${body.error.code}`;
};
const labels = async (endpoint: string) => {
  const body: PredictResponse = await (await stand.predict(endpoint, { instances })).json();
  return body.predictions.map((p) => ('label' in p ? p.label : p.value));
};
const seconds = () => Math.floor(Date.now() / 1000);

describe('artifacts', () => {
  test('are stored by digest, once or twice', async () => {
    const response = await stand.pushArtifact(first);
    expect(await response.json()).toEqual({ digest: sha256(first) });
    expect((await stand.pushArtifact(first)).status).toBe(200);
  });

  test('of other bytes than signed are refused and not stored', async () => {
    const model = binaryModel(1);
    expect(await codeOf(await stand.pushArtifact(model, { body: binaryModel(2) }))).toBe('422 DIGEST_MISMATCH');
    expect(await codeOf(await ask('GET', sha256(model)))).toBe('404 NOT_FOUND');
  });

  test('damaged in storage do not answer, until they are pushed again', async () => {
    const model = binaryModel(3, 5);
    await stand.pushArtifact(model);
    await stand.pushRoute(routeOf('damaged', 1, [[binaryManifest(model), 1]], KEYS));
    const [blob] = globSync(path.join(stand.data, 'r2/**/blobs/*')).filter(
      (file) => statSync(file).size === model.byteLength && readFileSync(file).equals(model),
    );
    writeFileSync(blob ?? '', model.toReversed());
    await stand.restart();
    const response = await stand.predict('damaged', { instances });
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await codeOf(response)).toBe('503 ARTIFACT_DAMAGED');
    expect((await ask('HEAD', sha256(model))).status).toBe(404);
    await stand.pushArtifact(model);
    expect((await stand.predict('damaged', { instances })).status).toBe(200);
  });

  test('above the limit are refused', async () => {
    const large = new Uint8Array(24 * 2 ** 20 + 1);
    expect(await codeOf(await stand.pushArtifact(large))).toBe('413 ARTIFACT_TOO_LARGE');
  });

  const ask = (method: 'GET' | 'HEAD', digest: string, secret = ADMIN_SECRET) => {
    const path = `/admin/artifacts/${digest}`;
    const headers = sign({ method, path, digest: sha256(''), revision: 0, time: seconds(), secret });
    return stand.request(path, { method, headers });
  };

  test('can be asked for', async () => {
    const present = await ask('GET', sha256(first));
    expect(await present.json()).toEqual({ digest: sha256(first), byteLength: first.byteLength });
    expect((await ask('HEAD', sha256(first))).status).toBe(200);
    expect((await ask('HEAD', sha256('absent'))).status).toBe(404);
    expect((await ask('HEAD', sha256(first), 'another secret')).status).toBe(401);
  });
});

describe('signatures', () => {
  const route = routeOf('signed', 1, [[one, 1]], KEYS);

  test.each<[string, Parameters<Stand['pushRoute']>[1]]>([
    ['another secret', { secret: 'another secret' }],
    ['an old time', { time: seconds() - PUSH_WINDOW_SECONDS - 60 }],
    ['a future time', { time: seconds() + PUSH_WINDOW_SECONDS + 60 }],
    ['another body', { body: JSON.stringify(routeOf('signed', 1, [[two, 1]], KEYS)) }],
    ['another method', { method: 'PUT', digest: sha256('') }],
  ])('%s is refused', async (_, changes) => {
    expect(await codeOf(await stand.pushRoute(route, changes))).toBe('401 UNAUTHENTICATED');
  });

  test('for another path are refused', async () => {
    const body = JSON.stringify(route);
    const payload = { method: 'PUT', path: '/admin/routes/other', digest: sha256(body), revision: 1, time: seconds() };
    const headers = sign({ ...payload, secret: ADMIN_SECRET });
    expect(await codeOf(await stand.request('/admin/routes/signed', { method: 'PUT', headers, body }))).toBe(
      '401 UNAUTHENTICATED',
    );
  });

  test('none is refused, an API key does not help', async () => {
    const headers = { authorization: `Bearer ${CLIENT_KEY}` };
    for (const path of ['/admin/routes/signed', `/admin/artifacts/${sha256(first)}`])
      expect(await codeOf(await stand.request(path, { method: 'PUT', body: '{}', headers }))).toBe(
        '401 UNAUTHENTICATED',
      );
  });

  test('nothing of this was stored', async () => {
    expect(await codeOf(await stand.predict('signed', { instances }))).toBe('404 NOT_FOUND');
  });
});

describe('routes', () => {
  test('are effective when the push is answered, over and over', async () => {
    for (let revision = 1; revision <= 10; revision++) {
      const manifest = revision % 2 ? one : two;
      const response = await stand.pushRoute(routeOf('switched', revision, [[manifest, 1]], KEYS));
      expect(await response.json()).toEqual({ revision });
      expect(await labels('switched')).toEqual([revision % 2 ? 'no' : 'yes']);
    }
  });

  test('of an older revision are refused; the same one again is fine, with other content it is not', async () => {
    const route = routeOf('fenced', 5, [[one, 1]], KEYS);
    expect((await stand.pushRoute(route)).status).toBe(200);
    expect(await codeOf(await stand.pushRoute({ ...route, revision: 4 }))).toBe('409 STALE_REVISION');
    expect((await stand.pushRoute(route)).status).toBe(200);
    expect(await codeOf(await stand.pushRoute(routeOf('fenced', 5, [[two, 1]], KEYS)))).toBe('409 REVISION_REUSED');
    expect(await labels('fenced')).toEqual(['no']);
  });

  test('pushed at once by several writers end at the newest revision', async () => {
    const pushes = [3, 1, 6, 2, 5, 4].map((revision) =>
      stand.pushRoute(routeOf('raced', revision, [[revision === 6 ? two : one, 1]], KEYS)),
    );
    for (const response of await Promise.all(pushes)) expect([200, 409, 503]).toContain(response.status);
    await stand.pushRoute(routeOf('raced', 6, [[two, 1]], KEYS));
    expect(await labels('raced')).toEqual(['yes']);
    await stand.restart();
    expect(await labels('raced')).toEqual(['yes']);
  });

  test('whose artifact is absent or does not run are refused before anybody sees them', async () => {
    await stand.pushRoute(routeOf('careful', 1, [[one, 1]], KEYS));
    const absent = binaryManifest(binaryModel(77));
    expect(await codeOf(await stand.pushRoute(routeOf('careful', 2, [[absent, 1]], KEYS)))).toBe(
      '409 ARTIFACT_MISSING',
    );
    const dense = denseModel(8);
    await stand.pushArtifact(dense);
    const wrong = binaryManifest(dense);
    expect(await codeOf(await stand.pushRoute(routeOf('careful', 2, [[wrong, 1]], KEYS)))).toBe('422 ARTIFACT_INVALID');
    const garbage = new TextEncoder().encode('no model');
    await stand.pushArtifact(garbage);
    const broken = binaryManifest(garbage);
    expect(await codeOf(await stand.pushRoute(routeOf('careful', 2, [[broken, 1]], KEYS)))).toBe(
      '422 ARTIFACT_INVALID',
    );
    expect(await labels('careful')).toEqual(['no']);
  });

  test('that are not routes, or not those that were signed, are refused', async () => {
    const route = routeOf('odd', 1, [[one, 1]], KEYS);
    expect(await codeOf(await stand.pushRoute({ ...route, revision: 0 }))).toBe('400 INVALID_ROUTE');
    expect(await codeOf(await stand.pushRoute(route, { path: '/admin/routes/other' }))).toBe('400 INVALID_ROUTE');
    expect(await codeOf(await stand.pushRoute(route, { revision: 2 }))).toBe('400 INVALID_ROUTE');
  });

  test('without variants end the endpoint; a revoked key ends at once', async () => {
    await stand.pushRoute(routeOf('ended', 1, [[one, 1]], KEYS));
    await stand.pushRoute(routeOf('ended', 2, [], KEYS));
    expect(await codeOf(await stand.predict('ended', { instances }))).toBe('404 NOT_FOUND');
    await stand.pushRoute(routeOf('ended', 3, [[one, 1]], []));
    expect(await codeOf(await stand.predict('ended', { instances }))).toBe('401 UNAUTHENTICATED');
  });

  test('split by weight, the same key on the same variant', async () => {
    await stand.pushRoute(
      routeOf(
        'split',
        1,
        [
          [one, 1],
          [two, 3],
        ],
        KEYS,
      ),
    );
    const versionOf = async (routeKey?: string) => {
      const body: PredictResponse = await (await stand.predict('split', { instances, routeKey })).json();
      return body.version;
    };
    const keyed = await Promise.all(Array.from({ length: 100 }, (_, i) => versionOf(`user-${i}`)));
    expect(await Promise.all(keyed.map((_, i) => versionOf(`user-${i}`)))).toEqual(keyed);
    const share = keyed.filter((version) => version === 2).length;
    expect(share).toBeGreaterThan(55);
    expect(share).toBeLessThan(92);
    const random = await Promise.all(Array.from({ length: 40 }, () => versionOf()));
    expect(new Set(random)).toEqual(new Set([1, 2]));
  });
});
