import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PredictResponse } from '../src/contract.ts';
import { binaryManifest, routeOf } from './manifests.ts';
import { binaryModel } from './models.ts';
import { KEYS, type Stand, startEventsApi, startStand } from './stand.ts';

let stand: Stand;
beforeAll(async () => {
  stand = await startStand();
  const model = binaryModel();
  await stand.pushArtifact(model);
  await stand.pushRoute(routeOf('titanic', 1, [[binaryManifest(model), 1]], KEYS));
  await stand.pushRoute({ ...routeOf('sure', 1, [[binaryManifest(model), 1]], KEYS), events: 'DURABLE' });
});
afterAll(() => stand.close());

/** Event ids of `count` predictions. */
async function predictions(count: number, endpoint = 'titanic'): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++) {
    const response = await stand.predict(endpoint, { instances: [{ age: i, sex: 'male' }] });
    const body: PredictResponse = await response.json();
    ids.push(body.predictions[0]?.id.split('.')[0] ?? '');
  }
  return ids;
}
const arrived = (ids: string[]) => stand.api.until((events) => ids.every((id) => events.some((e) => e.id === id)));

describe('prediction events', () => {
  test('arrive in batches, each once', async () => {
    const ids = await predictions(50);
    await arrived(ids);
    expect(stand.api.events.filter(({ id }) => ids.includes(id))).toHaveLength(50);
    expect(stand.api.batches.length).toBeLessThan(50);
  });

  test('wait while the API is down, over a restart of the edge', async () => {
    const port = Number(new URL(stand.api.url).port);
    await stand.api.close();
    const ids = await predictions(20, 'sure'); // BUFFERED may lose the last 50 ms in a restart
    await stand.restart();
    expect((await stand.predict('titanic', { instances: [{ age: 1, sex: null }] })).status).toBe(200);
    stand.api = await startEventsApi(port);
    await arrived(ids);
  });

  test.each([401, 404, 429, 500])('wait while the API answers %i', async (status) => {
    const { refusals } = stand.api;
    stand.api.status = status;
    const ids = await predictions(5);
    await stand.api.until(() => stand.api.refusals > refusals);
    stand.api.status = undefined;
    await arrived(ids);
  });

  test('are not blocked by one that the API calls invalid', async () => {
    stand.api.status = 503;
    const ids = await predictions(40);
    stand.api.poison.add(ids[7] ?? '');
    stand.api.status = undefined;
    const healthy = ids.filter((_, i) => i !== 7);
    await arrived(healthy);
    await arrived(await predictions(8));
    expect(stand.api.events.map(({ id }) => id)).not.toContain(ids[7]);
  });
});
