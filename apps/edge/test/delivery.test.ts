import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PredictResponse } from '../src/contract.ts';
import { binaryManifest, routeOf } from './manifests.ts';
import { binaryModel } from './models.ts';
import { KEYS, type Stand, startStand } from './stand.ts';

let stand: Stand;
beforeAll(async () => {
  stand = await startStand();
  const model = binaryModel();
  await stand.pushArtifact(model);
  const variants: Parameters<typeof routeOf>[2] = [[binaryManifest(model), 1]];
  await stand.pushRoute(routeOf('quick', 1, variants, KEYS));
  await stand.pushRoute({ ...routeOf('sure', 1, variants, KEYS), events: 'DURABLE' });
});
afterAll(() => stand.close());

interface Answered {
  /** Of the event. */
  id: string;
  /** performance.now() when the answer was here. */
  at: number;
}

async function predict(endpoint: string, signal?: AbortSignal): Promise<Answered> {
  const response = await stand.predict(endpoint, { instances: [{ age: 30, sex: 'male' }] }, {}, signal);
  const { predictions }: PredictResponse = await response.json();
  return { id: predictions[0]?.id.split('.')[0] ?? '', at: performance.now() };
}
const arrived = (ids: string[]) => stand.api.until((events) => ids.every((id) => events.some((e) => e.id === id)));
const has = (id: string) => stand.api.events.some((event) => event.id === id);
const events = async (): Promise<{ buffered: number; lost: number }> =>
  (await (await stand.request('/healthz')).json()).events;

/** Several clients, one request after the other each, until `enough`. */
async function load(endpoint: string, enough: (answered: Answered[]) => boolean): Promise<Answered[]> {
  const answered: Answered[] = [];
  const client = async () => {
    while (!enough(answered)) answered.push(await predict(endpoint));
  };
  await Promise.all([client(), client(), client(), client()]);
  return answered;
}

describe('kill -9 of workerd', () => {
  test('loses nothing that a DURABLE endpoint has answered', async () => {
    stand.api.status = 503; // all must wait in the outbox
    const answered: Answered[] = [];
    const clients = [1, 2, 3, 4].map(async () => {
      for (;;) answered.push(await predict('sure'));
    });
    const ended = Promise.allSettled(clients); // by the crash
    await expect.poll(() => answered.length, { timeout: 20_000 }).toBeGreaterThan(200);
    await stand.crash();
    await ended;
    stand.api.status = undefined;
    await arrived(answered.map(({ id }) => id));
  });

  test('loses of a BUFFERED endpoint no more than the last 50 ms', async () => {
    stand.api.status = 503;
    const early = await load('quick', (answered) => answered.length >= 100);
    await expect.poll(async () => (await events()).buffered).toBe(0);
    const late: Answered[] = [];
    const clients = [1, 2].map(async () => {
      for (;;) late.push(await predict('quick'));
    });
    const ended = Promise.allSettled(clients);
    const spanMs = () => (late.at(-1)?.at ?? 0) - (late[0]?.at ?? 0);
    await expect.poll(spanMs, { timeout: 20_000 }).toBeGreaterThan(800);
    const killed = performance.now();
    await stand.crash();
    await ended;
    stand.api.status = undefined;
    // Timers are late on a busy machine: 250 ms is what is asked for here, 50 ms what is meant.
    const kept = late.filter(({ at }) => at < killed - 250);
    expect(kept.length).toBeGreaterThan(0);
    await arrived([...early, ...kept].map(({ id }) => id));
    const after = await predict('sure');
    await arrived([after.id]);
    const lost = late.filter(({ id }) => !has(id));
    expect(Math.max(0, ...lost.map(({ at }) => killed - at))).toBeLessThan(250);
  });
});

describe('BUFFERED', () => {
  test('is kept within moments, whoever hangs up', async () => {
    const impatient = () => predict('quick', AbortSignal.timeout(2)).catch(() => undefined);
    const rounds = Array.from({ length: 20 }, async () => {
      const [, answered] = await Promise.all([impatient(), predict('quick'), impatient()]);
      return answered.id;
    });
    await arrived(await Promise.all(rounds));
    await expect.poll(events).toEqual({ buffered: 0, lost: 0 });
  });

  test('has an event of every request when many come at once, failures too', async () => {
    const count = 600; // more than a batch has
    const before = stand.api.events.length;
    const bad = Array.from({ length: 20 }, () => stand.predict('quick', { instances: [{ age: 'x', sex: null }] }));
    const [answers, refusals] = await Promise.all([
      Promise.all(Array.from({ length: count }, () => predict('quick'))),
      Promise.all(bad),
    ]);
    expect(new Set(refusals.map(({ status }) => status))).toEqual(new Set([422]));
    await arrived(answers.map(({ id }) => id));
    await stand.api.until((all) => all.length >= before + count + bad.length);
    const fresh = stand.api.events.slice(before);
    expect(fresh.filter(({ errorCode }) => errorCode === 'INVALID_VALUE')).toHaveLength(bad.length);
    expect(fresh).toHaveLength(count + bad.length);
  });
});

test('a new revision changes the delivery', async () => {
  const model = binaryModel();
  await stand.pushRoute({ ...routeOf('quick', 2, [[binaryManifest(model), 1]], KEYS), events: 'DURABLE' });
  stand.api.status = 503;
  const { id } = await predict('quick');
  await stand.crash();
  stand.api.status = undefined;
  await arrived([id]);
});
