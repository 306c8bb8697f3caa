/** Sketches and samples, in a real workerd: what leaves the edge for drift, when, and that nothing else does. */
import type { Sketch } from '@anneal/api/contract';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ColumnProfile, EndpointSettings, type PredictResponse, type Route } from '../src/contract.ts';
import { binaryManifest, routeOf, shadowOf } from './manifests.ts';
import { binaryModel } from './models.ts';
import { KEYS, type Stand, startStand } from './stand.ts';

const PROFILE: ColumnProfile[] = [
  { column: 'age', kind: 'NUMERIC', edges: [20, 40], min: 10, max: 60 },
  { column: 'sex', kind: 'CATEGORICAL', categories: ['male', 'female'], others: false },
  { column: '$prediction', kind: 'CATEGORICAL', categories: ['no', 'yes'], others: false },
];
const SECRET = 'ticket-of-one-person';
const rows = [
  { age: 15, sex: 'male', 'ticket number': SECRET },
  { age: 20, sex: ' female ' },
  { age: ' 40.0', sex: 'zebra' },
  { age: 70, sex: null },
  { age: null, sex: 'NA' },
  { age: '?', sex: 'male' },
];

const model = binaryModel();
const manifest = binaryManifest(model);
let stand: Stand;
beforeAll(async () => {
  stand = await startStand();
  expect((await stand.pushArtifact(model)).status).toBe(200);
});
afterAll(() => stand.close());

const settings = (more: object) => ({ settings: EndpointSettings.parse(more) });
async function serve(name: string, profile: ColumnProfile[] | undefined, more: Partial<Route> = {}) {
  const route = routeOf(name, 1, [[manifest, 1]], KEYS, more);
  const variants = route.variants.map((variant) => ({ ...variant, ...(profile && { profile }) }));
  expect((await stand.pushRoute({ ...route, variants })).status).toBe(200);
}
async function predict(name: string): Promise<PredictResponse> {
  const response = await stand.predict(name, { instances: rows });
  expect(response.status).toBe(200);
  return response.json();
}
const sketchesOf = (name: string) => stand.api.sketches.filter(({ endpoint }) => endpoint === name);
const healthz = async () => (await stand.request('/healthz')).json();
/** A column's counts over events. */
function sumOf(sketches: Sketch[], column: string) {
  const all = sketches.flatMap(({ columns }) => columns.filter((c) => c.column === column));
  const sum = (of: (c: (typeof all)[number]) => number) => all.reduce((total, c) => total + of(c), 0);
  const counts = (all[0]?.counts ?? []).map((_, i) => sum((c) => c.counts[i] ?? 0));
  return { n: sum((c) => c.n), missing: sum((c) => c.missing), unseen: sum((c) => c.unseen), counts };
}

describe('sketches', () => {
  test('count columns as the model reads them, many requests in one event, and name no value', async () => {
    await serve('counted', PROFILE);
    await serve('off', PROFILE, settings({ drift: false }));
    await serve('without', undefined);
    await serve('shadowed', PROFILE, { shadows: [shadowOf(binaryManifest(model), 1, 2)] });
    const answers: string[] = [];
    for (let i = 0; i < 10; i++)
      for (const name of ['counted', 'off', 'without', 'shadowed']) {
        const { predictions } = await predict(name);
        if (name === 'counted') for (const p of predictions) answers.push('label' in p ? p.label : '');
      }
    expect((await healthz()).sketches).toEqual({ unsent: 120, skipped: 0 });
    await stand.api.until(() => sumOf(sketchesOf('counted'), 'age').n === 60);
    await stand.api.until(() => sumOf(sketchesOf('shadowed'), 'age').n === 60);
    const sketches = sketchesOf('counted');
    expect(sumOf(sketches, 'age')).toEqual({ n: 60, missing: 20, unseen: 10, counts: [10, 10, 20] });
    expect(sumOf(sketches, 'sex')).toEqual({ n: 60, missing: 20, unseen: 10, counts: [20, 10, 10] });
    const yes = answers.filter((label) => label === 'yes').length;
    expect(sumOf(sketches, '$prediction')).toEqual({ n: 60, missing: 0, unseen: 0, counts: [60 - yes, yes, 0] });
    expect(sketches.length).toBeLessThanOrEqual(2); // two where the five minutes ended meanwhile
    for (const { time } of sketches) expect(Date.parse(time) % 300_000).toBe(0);
    expect(new Set(sketchesOf('shadowed').map((s) => s.modelVersionId))).toEqual(new Set(['version-1']));
    expect([sketchesOf('off'), sketchesOf('without')]).toEqual([[], []]);
    expect((await healthz()).sketches).toEqual({ unsent: 0, skipped: 0 });
    const said = JSON.stringify([stand.api.events, stand.api.sketches, stand.log]);
    for (const raw of [SECRET, 'zebra']) expect(said).not.toContain(raw);
    expect(stand.api.samples).toEqual([]);
  }, 30_000);

  test('that were not sent are lost in a crash, and only those', async () => {
    await serve('crashed', PROFILE);
    await predict('crashed');
    await stand.crash();
    await predict('crashed');
    await stand.api.until(() => sketchesOf('crashed').length > 0);
    expect(sumOf(sketchesOf('crashed'), 'age').n).toBe(rows.length);
  }, 30_000);
});

describe('samples', () => {
  test('are the rows as they came, of the share of the requests that is asked for', async () => {
    await serve('all', undefined, settings({ samples: { rate: 1, retentionDays: 7 } }));
    await serve('some', undefined, settings({ samples: { rate: 0.3, retentionDays: 7 } }));
    await serve('none', undefined, settings({ samples: { rate: 0, retentionDays: 7 } }));
    const { predictions } = await predict('all');
    for (let i = 0; i < 200; i++) await predict('some');
    for (let i = 0; i < 20; i++) await predict('none');
    const samplesOf = (name: string) => stand.api.samples.filter(({ endpoint }) => endpoint === name);
    await stand.api.until(() => samplesOf('all').length === 1 && samplesOf('some').length > 0);
    await stand.api.until((events) => events.filter(({ endpoint }) => endpoint === 'none').length === 20);
    const [sample] = samplesOf('all');
    expect(sample).toMatchObject({ revision: 1, modelVersionId: 'version-1' });
    expect(predictions[0]?.id.split('.')[0]).toBe(sample?.id);
    expect(sample?.rows).toEqual(rows.map((instance, index) => ({ index, instance })));
    // 0.3 of 200 is 60; outside 21..99 is six standard deviations away.
    await stand.api.until(() => samplesOf('some').length > 20);
    expect(samplesOf('some').length).toBeLessThan(100);
    expect(samplesOf('none')).toEqual([]);
  }, 30_000);

  test('are cut where they get too large', async () => {
    const large = { age: 1, sex: 'male', 'ticket number': 'x'.repeat(30_000) };
    const response = await stand.predict('all', { instances: Array(20).fill(large) });
    expect(response.status).toBe(200);
    await stand.api.until(() => stand.api.samples.some(({ rows: [row] }) => row?.instance.age === 1));
    const sample = stand.api.samples.find(({ rows: [row] }) => row?.instance.age === 1);
    expect(sample?.rows.length).toBe(6);
  });
});
