/** Sketches and samples from the edge's outbox to GraphQL: counted once, compared with training, kept for a time. */
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { Manifest } from '@anneal/edge/contract';
import { encodeTable, PARTS } from '@anneal/trainer/contract';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../../../test/testkit/api.ts';
import { type SeededVersion, seedVersion } from '../../../../test/testkit/seed.ts';
import type { Sample, Sketch } from '../contract.ts';
import { deleteOldSketches, ingestSketches } from '../domain/column-rollup.ts';
import { profilesOf } from '../domain/profile.ts';
import { createProject } from '../domain/project.ts';
import { deleteExpiredSamples } from '../domain/sampled-input.ts';

const DAY_MS = 86_400_000;
// biome-ignore format: a row a line is no clearer
const probabilities = [[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.4, 0.6]];
const rows = { classes: ['a', 'b'], truth: [0, 1, 1, 1], probabilities };
let api: TestApi;
let version: SeededVersion;
let endpointId: string;

beforeAll(async () => {
  api = await startTestApi();
  version = await trained('drifting');
  const endpoint = await api.deps.prisma.endpoint.create({
    data: { projectId: api.projectId, name: 'iris', revision: 2 },
  });
  endpointId = endpoint.id;
  for (const [number, samples] of [null, { rate: 1, retentionDays: 3 }].entries())
    await api.deps.prisma.endpointRevision.create({
      data: {
        ...{ endpointId, number: number + 1, reason: 'DEPLOY', settings: { samples } },
        variants: { create: { modelVersionId: version.uuid, weight: 1 } },
      },
    });
});
afterAll(() => api?.close());

/** A version that was trained on 1,000 rows: x from 0 to 999, c = "p" in nine of ten and else "q", a tenth missing. */
async function trained(modelName: string, projectId = api.projectId): Promise<SeededVersion> {
  const seeded = await seedVersion(api.deps, { projectId, modelName, rows });
  const every = (n: number) => Array.from({ length: 1010 }, (_, i) => i % n === 0);
  const table = encodeTable({
    rowCount: 1010,
    columns: [
      { name: 'x', kind: 'NUMERIC', values: Float64Array.from(every(1), (_, i) => i) },
      { name: 'c', kind: 'CATEGORICAL', dictionary: ['p', 'q'], codes: Int32Array.from(every(10), (q) => (q ? 1 : 0)) },
      { name: 'm', kind: 'NUMERIC', values: Float64Array.from(every(10), (gone) => (gone ? Number.NaN : 1)) },
    ],
    target: { name: 'y', classes: ['a', 'b'], codes: new Int32Array(1010), values: null },
    rows: Uint32Array.from(every(1), (_, i) => i),
    split: Uint8Array.from(every(1), (_, i) => PARTS.indexOf(i < 1000 ? 'TRAIN' : 'TEST')),
  });
  const { digest } = await api.deps.blobs.put(Readable.from([table]), { maxBytes: 1 << 20 });
  await api.deps.prisma.datasetVersion.updateMany({ where: { digest: seeded.datasetDigest }, data: { digest } });
  const { manifest } = await api.deps.prisma.modelVersion.findUniqueOrThrow({ where: { id: seeded.uuid } });
  const columns = ['x', 'c', 'm'].map((name) => ({
    name,
    kind: name === 'c' ? ('CATEGORICAL' as const) : ('NUMERIC' as const),
    used: true,
  }));
  const inputs = columns.map(({ name, kind }) => ({
    ...{ name, column: name },
    type: kind === 'NUMERIC' ? ('double' as const) : ('string' as const),
  }));
  await api.deps.prisma.modelVersion.update({
    where: { id: seeded.uuid },
    data: { manifest: { ...Manifest.parse(manifest), columns, inputs } },
  });
  return seeded;
}

const bucket = (ago = 0) => new Date(Math.floor((Date.now() - ago) / 300_000) * 300_000).toISOString();
type Column = Sketch['columns'][number];
const column = (name: string, counts: number[], more: Partial<Column> = {}): Column => {
  const { missing = 0 } = more;
  return { column: name, n: counts.reduce((sum, count) => sum + count, missing), missing, unseen: 0, counts, ...more };
};
const sketch = (columns: Column[], fields: Partial<Sketch> = {}): Sketch => ({
  ...{ formatVersion: 1, kind: 'SKETCH', id: randomUUID(), endpoint: 'iris', modelVersionId: version.uuid },
  ...{ time: bucket(), columns },
  ...fields,
});
const post = async (events: unknown[]) => {
  const response = await fetch(`${api.url}/internal/prediction-events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${api.keys.edge}` },
    body: JSON.stringify({ events }),
  });
  expect(response.status).toBe(200);
  return response.json();
};
const DRIFT = `query ($id: ID!, $window: TrafficWindow, $endpoint: String) { modelVersion(id: $id) {
  drift(window: $window, endpoint: $endpoint) { n columns { column kind n unseen psi jensenShannon severity
    missing { expected observed } chiSquare { statistic degreesOfFreedom pValue }
    bins { label expected observed } } } } }`;
const driftOf = async (id: string, variables: object = {}) => {
  const answer = await api.execute(DRIFT, { id, ...variables });
  expect(answer.errors).toBeUndefined();
  return answer.data.modelVersion.drift;
};
const TENTHS = Array<number>(10).fill(10);

describe('a profile', () => {
  it('is of the rows of TRAIN and of the answers on the held-out rows', async () => {
    const found = (await profilesOf(api.deps, [version.uuid])).get(version.uuid);
    const edges = [100, 200, 300, 400, 500, 600, 700, 800, 900];
    expect(found?.map(({ profile }) => profile)).toEqual([
      { column: 'x', kind: 'NUMERIC', edges, min: 0, max: 999 },
      { column: 'c', kind: 'CATEGORICAL', categories: ['p', 'q'], others: false },
      { column: 'm', kind: 'NUMERIC', edges: [], min: 1, max: 1 },
      { column: '$prediction', kind: 'CATEGORICAL', categories: ['a', 'b'], others: false },
    ]);
    expect(found?.map(({ expected }) => expected)).toEqual([
      { n: 1000, missing: 0, counts: Array(10).fill(100) },
      { n: 1000, missing: 0, counts: [900, 100, 0] },
      { n: 1000, missing: 100, counts: [900] },
      { n: 4, missing: 0, counts: [1, 3, 0] },
    ]);
  });

  it('is none where the data is gone, and no deployment fails for it', async () => {
    const seeded = await seedVersion(api.deps, { projectId: api.projectId, modelName: 'gone', rows });
    const digest = '0'.repeat(64);
    await api.deps.prisma.datasetVersion.updateMany({ where: { digest: seeded.datasetDigest }, data: { digest } });
    expect(await profilesOf(api.deps, [seeded.uuid])).toEqual(new Map([[seeded.uuid, null]]));
  });
});

describe('drift', () => {
  it('is null before anything was counted, and where there is no profile', async () => {
    expect(await driftOf(version.id)).toBeNull();
  });

  it('adds up sketches, each once, and compares them with training, worst first', async () => {
    const seen = await trained('seen');
    const mine = { modelVersionId: seen.uuid };
    const same = sketch([column('x', TENTHS), column('c', [90, 10, 0]), column('m', [90], { missing: 10 })], mine);
    const odd = sketch([column('x', TENTHS), column('c', [50, 0, 50], { unseen: 50 }), column('m', [100])], mine);
    expect(await post([same, odd, odd])).toEqual({ accepted: 2, duplicates: 1, dropped: 0 });
    expect(await post([odd, same])).toEqual({ accepted: 0, duplicates: 2, dropped: 0 });
    const drift = await driftOf(seen.id);
    expect(drift).toMatchObject({ n: 200, columns: [{ column: 'c' }, { column: 'm' }, { column: 'x' }] });
    const [c, m, x] = drift.columns;
    expect(x).toMatchObject({ kind: 'NUMERIC', n: 200, unseen: 0, psi: 0, jensenShannon: 0, severity: 'NONE' });
    expect(x.chiSquare).toEqual({ statistic: 0, degreesOfFreedom: 9, pValue: 1 });
    expect(x.bins).toHaveLength(10);
    expect(x.bins[1]).toEqual({ label: '100 to < 200', expected: 0.1, observed: 0.1 });
    // 0.9, 0.1, 0 (half a row: 0.0005) and 0.7, 0.05, 0.25
    const psi = 0.2 * Math.log(0.9 / 0.7) + 0.05 * Math.log(2) + 0.2495 * Math.log(0.25 / 0.0005);
    expect(c.psi).toBeCloseTo(psi, 12);
    expect(c).toMatchObject({ unseen: 50, severity: 'MAJOR', missing: { expected: 0, observed: 0 } });
    expect(c.bins).toEqual([
      { label: 'p', expected: 0.9, observed: 0.7 },
      { label: 'q', expected: 0.1, observed: 0.05 },
      { label: '(others)', expected: 0, observed: 0.25 },
    ]);
    expect(m).toMatchObject({ missing: { expected: 0.1, observed: 0.05 }, severity: 'NONE' });
  });

  it('is of a window and an endpoint', async () => {
    const seen = await trained('windows');
    const other = await api.deps.prisma.endpoint.create({ data: { projectId: api.projectId, name: 'b', revision: 1 } });
    const mine = { modelVersionId: seen.uuid };
    const old = sketch([column('x', TENTHS)], { ...mine, time: bucket(3 * 3_600_000) });
    await post([
      old,
      sketch([column('x', TENTHS)], mine),
      sketch([column('x', TENTHS)], { ...mine, endpoint: other.name }),
    ]);
    expect((await driftOf(seen.id)).n).toBe(300);
    expect((await driftOf(seen.id, { window: { last: '1h' } })).n).toBe(200);
    expect((await driftOf(seen.id, { window: { last: '1h' }, endpoint: 'iris' })).n).toBe(100);
    expect(await driftOf(seen.id, { endpoint: 'unknown' })).toBeNull();
    const bad = await api.execute(DRIFT, { id: seen.id, window: { last: 'soon' } });
    expect(bad.errors?.[0]?.extensions.code).toBe('BAD_WINDOW');
  });

  it('leaves out what was counted by other bins, and drops what cannot be stored', async () => {
    const seen = await trained('odd');
    const mine = { modelVersionId: seen.uuid };
    const stranger = await createProject(api.deps, { name: 'stranger' });
    const foreign = await trained('foreign', stranger.projectId);
    const bad = [
      sketch([column('x', TENTHS)], { ...mine, endpoint: 'unknown' }),
      sketch([column('x', TENTHS)], { modelVersionId: foreign.uuid }),
      sketch([column('x', TENTHS)], { modelVersionId: 'none' }),
      sketch([column('x', TENTHS)], { ...mine, time: bucket(31 * DAY_MS) }),
      sketch([column('nul\0', TENTHS)], mine),
      sketch([column('x', TENTHS, { n: 2 ** 40 })], mine),
      { ...sketch([column('x', TENTHS)], mine), columns: [] },
    ];
    const odd = sketch([column('x', [50, 50]), column('c', [1, 1, 0])], mine);
    expect(await post([...bad, odd])).toEqual({ accepted: 1, duplicates: 0, dropped: bad.length });
    expect(await driftOf(seen.id)).toMatchObject({ n: 2, columns: [{ column: 'c' }] });
  });

  it('counts sketches of many senders at once, and no version costs a statement more', async () => {
    const seen = await Promise.all(['many-1', 'many-2', 'many-3'].map((name) => trained(name)));
    const batches = Array.from({ length: 12 }, () =>
      seen.toSorted(() => Math.random() - 0.5).map((v) => sketch([column('x', TENTHS)], { modelVersionId: v.uuid })),
    );
    await Promise.all(batches.map((batch) => post(batch)));
    await Promise.all(batches.map((batch) => post(batch)));
    const query = `{ models(first: 20) { nodes { name versions(first: 5) { nodes { drift { n } } } } } }`;
    const read = async () => {
      const answer = await api.execute(query);
      expect(answer.errors).toBeUndefined();
      const models = answer.data.models.nodes.filter(({ name }: { name: string }) => name.startsWith('many'));
      for (const { versions } of models) expect(versions.nodes).toEqual([{ drift: { n: 1200 } }]);
      expect(models).toHaveLength(3);
    };
    const first = await api.statements(read);
    expect(first.filter((sql) => sql.includes('ColumnRollup'))).toHaveLength(1);
    const again = await api.statements(read);
    expect(again.length).toBeLessThanOrEqual(first.length);
  });

  it('ids of sketches go after the retention, counts stay', async () => {
    const seen = await trained('retained');
    await post([sketch([column('x', TENTHS)], { modelVersionId: seen.uuid, time: bucket(2 * DAY_MS) })]);
    const before = await api.deps.prisma.sketchEvent.count();
    await deleteOldSketches(api.deps, 1);
    expect(await api.deps.prisma.sketchEvent.count()).toBe(before - 1);
    expect((await driftOf(seen.id, { window: { last: '7d' } })).n).toBe(100);
    const late = sketch([column('x', TENTHS)], { modelVersionId: seen.uuid, time: bucket(2 * DAY_MS) });
    expect(await ingestSketches(api.deps, [late], 1)).toEqual({ accepted: 0, duplicates: 0, dropped: 1 });
  });
});

describe('samples', () => {
  const sample = (fields: Partial<Sample> = {}): Sample => ({
    ...{ formatVersion: 1, kind: 'SAMPLE', id: randomUUID(), endpoint: 'iris', revision: 2 },
    ...{ modelVersionId: version.uuid, time: new Date().toISOString() },
    rows: [
      { index: 0, instance: { x: 1, c: 'nul\0 half \ud800' } },
      { index: 7, instance: { x: [1, null], c: null } },
    ],
    ...fields,
  });
  const SAMPLES = `{ endpoint(name: "iris") { samples(first: 10) { totalCount nodes { time expiresAt instance
    modelVersion { number } } } } }`;
  const read = async () => (await api.execute(SAMPLES)).data.endpoint.samples;

  it('are stored once, newest first, until their time is over', async () => {
    expect(await read()).toEqual({ totalCount: 0, nodes: [] });
    const [old, fresh] = [new Date(Date.now() - 2 * DAY_MS), new Date()].map((time) =>
      sample({ time: time.toISOString() }),
    );
    if (!old || !fresh) throw new Error('two samples');
    [old.id, fresh.id] = ['01890000-0000-7abc-8000-000000000001', '01990000-0000-7abc-8000-000000000001'];
    expect(await post([old, fresh])).toEqual({ accepted: 2, duplicates: 0, dropped: 0 });
    expect(await post([fresh])).toEqual({ accepted: 0, duplicates: 1, dropped: 0 });
    const { totalCount, nodes } = await read();
    expect(totalCount).toBe(4);
    expect(nodes[0]).toEqual({
      time: fresh.time,
      expiresAt: new Date(Date.parse(fresh.time) + 3 * DAY_MS).toISOString(),
      instance: { x: [1, null], c: null },
      modelVersion: { number: 1 },
    });
    expect(nodes[1].instance).toEqual({ x: 1, c: 'nul\ufffd half \ufffd' });
    expect(nodes.map(({ time }: { time: string }) => time)).toEqual([fresh.time, fresh.time, old.time, old.time]);
    const later = { ...api.deps, now: () => new Date(Date.now() + 1.5 * DAY_MS) };
    expect(await deleteExpiredSamples(later)).toBe(2);
    expect((await read()).totalCount).toBe(2);
  });

  it('are not stored where the revision did not ask for them, whoever sends them', async () => {
    const before = await api.deps.prisma.sampledInput.count();
    const foreign = await trained('unserved');
    const unasked = [
      sample({ revision: 1 }),
      sample({ revision: 9 }),
      sample({ endpoint: 'b' }),
      sample({ modelVersionId: foreign.uuid }),
      sample({ modelVersionId: 'none' }),
      sample({ time: new Date(Date.now() - 4 * DAY_MS).toISOString() }),
    ];
    expect(await post(unasked)).toEqual({ accepted: 0, duplicates: 0, dropped: unasked.length });
    expect(await api.deps.prisma.sampledInput.count()).toBe(before);
  });

  it('are hidden from other projects', async () => {
    const { secret } = await createProject(api.deps, { name: 'curious' });
    expect((await api.execute(SAMPLES, {}, secret)).data).toEqual({ endpoint: null });
    const edge = await api.execute(SAMPLES, {}, api.keys.edge);
    expect(edge.errors?.[0]?.extensions.code).toBe('FORBIDDEN');
  });
});
