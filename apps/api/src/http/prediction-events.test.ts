/** Prediction events from the edge's outbox to `traffic`: each is counted once, whatever is sent, repeated or wrong. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../../../test/testkit/api.ts';
import { type SeededVersion, seedVersion } from '../../../../test/testkit/seed.ts';
import type { PredictionEvent } from '../contract.ts';
import { deleteOldEvents, ingest } from '../domain/prediction-events.ts';
import { createProject } from '../domain/project.ts';

// biome-ignore format: a row a line is no clearer
const rows = { classes: ['a', 'b'], truth: [0, 1], probabilities: [[0.9, 0.1], [0.2, 0.8]] };
let api: TestApi;
let version: SeededVersion;

beforeAll(async () => {
  api = await startTestApi();
  version = await seedVersion(api.deps, { projectId: api.projectId, rows });
  await api.deps.prisma.endpoint.create({ data: { projectId: api.projectId, name: 'iris', revision: 1 } });
});
afterAll(() => api?.close());

/** Now, so that the default window holds it. */
const event = (fields: Partial<PredictionEvent> = {}): PredictionEvent => ({
  formatVersion: 1,
  id: randomUUID(),
  endpoint: 'iris',
  revision: 1,
  modelVersionId: version.uuid,
  time: new Date().toISOString(),
  durationUs: 1000,
  status: 'OK',
  errorCode: null,
  instances: 2,
  predictions: [
    { label: 'a', score: 0.9 },
    { label: 'b', score: 0.8 },
  ],
  ...fields,
});
const failure = (fields: Partial<PredictionEvent> = {}) =>
  event({ status: 'ERROR', errorCode: 'INVALID_VALUE', predictions: null, ...fields });

const post = (body: unknown, key: string | null = api.keys.edge) =>
  fetch(`${api.url}/internal/prediction-events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key !== null && { authorization: `Bearer ${key}` }) },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

const TRAFFIC = `query ($id: ID!, $window: TrafficWindow) { modelVersion(id: $id) { traffic(window: $window) {
  requests errors instances errorRate latency { p50 p95 p99 } } } }`;
const trafficOf = async (id: string, window?: object) => {
  const answer = await api.execute(TRAFFIC, { id, window });
  expect(answer.errors).toBeUndefined();
  return answer.data.modelVersion.traffic;
};

describe('the door', () => {
  it('refuses all but the service key of the edge', async () => {
    const batch = { events: [event()] };
    expect((await post(batch, null)).status).toBe(401);
    expect((await post(batch, 'unknown')).status).toBe(401);
    expect((await post(batch, api.keys.trainer)).status).toBe(403);
    expect((await post(batch, api.keys.admin)).status).toBe(403); // a project's key, admin or not
    expect((await fetch(`${api.url}/internal/prediction-events`)).status).toBe(405);
    expect(await api.deps.prisma.predictionEvent.count()).toBe(0);
  });

  it.each([
    ['no JSON', '{', /expected \{"events"/],
    ['no list', { events: 1 }, /events: .*array/],
    ['none', { events: [] }, /events: /],
    ['too many', { events: Array(501).fill(null) }, /events: .*500/],
  ])('refuses a body that is no batch: %s', async (_, body, message) => {
    const response = await post(body);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ error: { code: 'BAD_BATCH', message: expect.stringMatching(message) } });
  });

  it('drops what it cannot store and takes the rest, so that the outbox never sticks', async () => {
    const other = await createProject(api.deps, { name: 'other' });
    const foreign = await seedVersion(api.deps, { projectId: other.projectId, rows });
    const seen = await seedVersion(api.deps, { projectId: api.projectId, modelName: 'drops', rows });
    const mine = (fields: Partial<PredictionEvent> = {}) => event({ modelVersionId: seen.uuid, ...fields });
    const bad = [
      { nonsense: true },
      mine({ durationUs: -1 }),
      mine({ endpoint: 'unknown' }),
      mine({ modelVersionId: randomUUID() }),
      mine({ modelVersionId: 'no uuid' }),
      mine({ modelVersionId: foreign.uuid }), // the endpoint belongs to another project than the version
      mine({ time: new Date(Date.now() - 31 * 86_400_000).toISOString() }),
      mine({ predictions: [{ label: 'nul\0', score: 1 }] }), // PostgreSQL cannot hold these two
      mine({ predictions: [{ label: 'half \ud800', score: 1 }] }),
      mine({ revision: 2 ** 40 }),
    ];
    const response = await post({ events: [...bad, mine({ durationUs: 2 ** 40 })] });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ accepted: 1, duplicates: 0, dropped: bad.length });
    expect(await trafficOf(seen.id)).toMatchObject({ requests: 1 });
  });
});

describe('traffic', () => {
  it('adds up requests, errors and latency, and counts a repeated event once', async () => {
    const seen = await seedVersion(api.deps, { projectId: api.projectId, modelName: 'sums', rows });
    const slow = Array.from({ length: 10 }, (_, i) => event({ durationUs: 100_000 + i, modelVersionId: seen.uuid }));
    const quick = Array.from({ length: 89 }, () => event({ durationUs: 2_000, modelVersionId: seen.uuid }));
    const failed = failure({ durationUs: 50, modelVersionId: seen.uuid, instances: 7 });
    const events = [...slow, ...quick, failed];
    expect(await (await post({ events })).json()).toEqual({ accepted: 100, duplicates: 0, dropped: 0 });
    expect(await (await post({ events })).json()).toEqual({ accepted: 0, duplicates: 100, dropped: 0 });
    expect(await (await post({ events: [failed, failed] })).json()).toMatchObject({ accepted: 0, duplicates: 2 });
    const traffic = await trafficOf(seen.id);
    expect(traffic).toMatchObject({ requests: 100, errors: 1, instances: 99 * 2 + 7, errorRate: 0.01 });
    const within = (actual: number, exact: number) => expect(Math.abs(actual / exact - 1)).toBeLessThan(0.05);
    within(traffic.latency.p50, 2);
    within(traffic.latency.p95, 100);
    within(traffic.latency.p99, 100);
  });

  it('counts each event once when batches that overlap come at the same time', async () => {
    const seen = await seedVersion(api.deps, { projectId: api.projectId, modelName: 'races', rows });
    const minutes = (i: number) => new Date(Date.now() - (i % 7) * 60_000).toISOString();
    const events = Array.from({ length: 300 }, (_, i) => event({ modelVersionId: seen.uuid, time: minutes(i) }));
    const reversed = events.toReversed();
    const batches = Array.from({ length: 8 }, (_, i) => (i % 2 ? events.slice(i * 10) : reversed.slice(i * 10)));
    const answers = await Promise.all(batches.map((batch) => ingest(api.deps, batch)));
    expect(answers.reduce((sum, answer) => sum + answer.accepted, 0)).toBe(300);
    expect(await trafficOf(seen.id)).toMatchObject({ requests: 300, instances: 600 });
    const rollups = await api.deps.prisma.trafficRollup.findMany({ where: { modelVersionId: seen.uuid } });
    const counted = rollups.flatMap((rollup) => rollup.latency).reduce((sum, count) => sum + count, 0);
    expect(counted).toBe(300);
  });

  it('never deadlocks over batches that hold the same events in another order', async () => {
    const seen = await seedVersion(api.deps, { projectId: api.projectId, modelName: 'crossed', rows });
    const batch = ['1', '2', '3'].map((n) =>
      event({ id: `00000000-0000-4000-8000-00000000000${n}`, modelVersionId: seen.uuid }),
    );
    const { prisma } = api.deps;
    const waiting = async () => {
      const [row] = await prisma.$queryRaw<{ n: number }[]>`
        SELECT count(*)::int AS n FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'`;
      return row?.n;
    };
    // A third party holds the middle event until both batches wait: unsorted, each would hold what the other needs.
    let answers: Promise<PromiseSettledResult<unknown>[]> | undefined;
    const blocked = prisma.$transaction(async (tx) => {
      const [endpointId, modelVersionId] = [randomUUID(), randomUUID()];
      const other = {
        endpointId,
        modelVersionId,
        revision: 1,
        time: new Date(),
        durationUs: 1,
        status: 'OK',
        instances: 1,
      };
      await tx.predictionEvent.create({ data: { id: batch[1]?.id ?? '', ...other } });
      answers = Promise.allSettled([ingest(api.deps, batch), ingest(api.deps, batch.toReversed())]);
      await expect.poll(waiting, { timeout: 10_000 }).toBe(2);
      throw new Error('rolled back');
    });
    await expect(blocked).rejects.toThrow('rolled back');
    const settled = (await answers)?.map((answer) => (answer.status === 'fulfilled' ? answer.value : answer.reason));
    expect(settled).toEqual(
      expect.arrayContaining([
        { accepted: 3, duplicates: 0, dropped: 0 },
        { accepted: 0, duplicates: 3, dropped: 0 },
      ]),
    );
    expect(await trafficOf(seen.id)).toMatchObject({ requests: 3 });
  });

  it('counts by event time, within the window only', async () => {
    const seen = await seedVersion(api.deps, { projectId: api.projectId, modelName: 'windows', rows });
    const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();
    await ingest(
      api.deps,
      [0, 30, 90, 3000].map((minutes) => event({ modelVersionId: seen.uuid, time: ago(minutes) })),
    );
    expect(await trafficOf(seen.id, { last: 'PT1H' })).toMatchObject({ requests: 2 });
    expect(await trafficOf(seen.id)).toMatchObject({ requests: 3 });
    expect(await trafficOf(seen.id, { last: '7d' })).toMatchObject({ requests: 4 });
    expect(await trafficOf(seen.id, { from: ago(100), to: ago(20) })).toMatchObject({ requests: 2 });
    expect(await trafficOf(seen.id, { from: ago(20000), to: ago(19000) })).toEqual({
      requests: 0,
      errors: 0,
      instances: 0,
      errorRate: null,
      latency: { p50: null, p95: null, p99: null },
    });
    const refused = await api.execute(TRAFFIC, { id: seen.id, window: { last: 'soon' } });
    expect(refused.errors?.[0]?.extensions.code).toBe('BAD_WINDOW');
  });

  it('reads a page of versions with one statement for the page and one for its traffic', async () => {
    for (let i = 0; i < 3; i++) {
      const seen = await seedVersion(api.deps, { projectId: api.projectId, modelName: 'paged', rows });
      await ingest(
        api.deps,
        Array.from({ length: i + 1 }, () => event({ modelVersionId: seen.uuid })),
      );
    }
    const query =
      '{ model(name: "paged") { versions { nodes { number traffic(window: { last: "1h" }) { requests } } } } }';
    const statements = await api.statements(async () => {
      const { data } = await api.execute(query);
      expect(data.model.versions.nodes.map((node: { traffic: unknown }) => node.traffic)).toEqual([
        { requests: 3 },
        { requests: 2 },
        { requests: 1 },
      ]);
    });
    expect(statements.filter((sql) => !sql.includes('"ApiKey"'))).toHaveLength(2);
  });
});

describe('retention', () => {
  it('deletes old rows and keeps their roll-ups', async () => {
    const seen = await seedVersion(api.deps, { projectId: api.projectId, modelName: 'old', rows });
    const days = (n: number) => new Date(Date.now() - n * 86_400_000).toISOString();
    const events = [1, 10, 20].map((n) => event({ modelVersionId: seen.uuid, time: days(n) }));
    await ingest(api.deps, events);
    expect(await deleteOldEvents(api.deps, 15)).toBe(1);
    expect(await api.deps.prisma.predictionEvent.count({ where: { modelVersionId: seen.uuid } })).toBe(2);
    expect(await trafficOf(seen.id, { last: 'P30D' })).toMatchObject({ requests: 3 });
  });
});
