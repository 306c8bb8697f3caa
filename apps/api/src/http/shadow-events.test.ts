/** Events of shadows: stored with their role, counted apart, compared with the answers that clients got. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../../../test/testkit/api.ts';
import { type SeededVersion, type SeedRows, seedVersion } from '../../../../test/testkit/seed.ts';
import type { PredictionEvent } from '../contract.ts';
import { ingest } from '../domain/prediction-events.ts';

const classes: SeedRows = { classes: ['a', 'b'], truth: [0], probabilities: [[1, 0]] };
const values: SeedRows = { truth: [1], values: [1] };
let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api?.close());

const seeded = (modelName: string, rows: SeedRows = classes) =>
  seedVersion(api.deps, { projectId: api.projectId, modelName, rows });

/** An endpoint whose newest revision has these versions, written as deploy does but without an edge. */
async function endpoint(name: string, primary: SeededVersion, shadows: SeededVersion[]) {
  const { id: endpointId } = await api.deps.prisma.endpoint.create({
    data: { projectId: api.projectId, name, revision: 1 },
  });
  const variants = [
    { modelVersionId: primary.uuid, weight: 1 },
    ...shadows.map(({ uuid }) => ({ modelVersionId: uuid, weight: 0.5, role: 'SHADOW' as const })),
  ];
  await api.deps.prisma.endpointRevision.create({
    data: { endpointId, number: 1, reason: 'DEPLOY', variants: { create: variants } },
  });
}

type Answer = NonNullable<PredictionEvent['predictions']>[number];
const event = (
  endpoint: string,
  version: SeededVersion,
  predictions: Answer[],
  more: Partial<PredictionEvent> = {},
) => ({
  formatVersion: 1 as const,
  id: randomUUID(),
  endpoint,
  revision: 1,
  modelVersionId: version.uuid,
  time: new Date().toISOString(),
  durationUs: 1000,
  status: 'OK' as const,
  errorCode: null,
  instances: predictions.length,
  predictions,
  ...more,
});
const behind = (of: PredictionEvent, version: SeededVersion, predictions: Answer[]) =>
  event(of.endpoint, version, predictions, { role: 'SHADOW', shadowOf: of.id });
const label = (name: string, score: number): Answer => ({ label: name, score });

const COMPARED = `query ($name: String!, $window: TrafficWindow) { endpoint(name: $name) { shadow { share
  modelVersion { model { name } traffic { requests } shadowed: traffic(role: SHADOW) { requests instances } }
  comparison(window: $window) { n agreement { value low high n } meanAbsDiff } } } }`;
const compared = async (name: string, window?: object) => {
  const { data, errors } = await api.execute(COMPARED, { name, window });
  expect(errors).toBeUndefined();
  return data.endpoint.shadow;
};

describe('a shadow of classes', () => {
  it('is compared by label and score with the answers that it ran behind, however the events come', async () => {
    const [primary, shadow, quiet] = [await seeded('primary'), await seeded('shadow'), await seeded('quiet')];
    await endpoint('classes', primary, [shadow, quiet]);
    await endpoint('elsewhere', primary, [shadow]);
    const first = event('classes', primary, [label('a', 0.9), label('b', 0.8)]);
    const second = event('classes', primary, [label('a', 0.6)]);
    const alone = event('classes', primary, [label('a', 0.5)]);
    const failed = { ...behind(alone, shadow, []), status: 'ERROR' as const, errorCode: 'INTERNAL', predictions: null };
    const shadows = [
      behind(first, shadow, [label('a', 0.7), label('a', 0.6)]),
      behind(second, shadow, [label('a', 0.5)]),
      { ...failed, instances: 1 },
    ];
    await ingest(api.deps, shadows); // before what they ran behind
    await ingest(api.deps, [first, second, alone, ...shadows]);
    const [one, other] = await compared('classes');
    expect(one).toEqual({
      share: 0.5,
      modelVersion: {
        model: { name: 'shadow' },
        traffic: { requests: 0 },
        shadowed: { requests: 3, instances: 4 },
      },
      comparison: {
        n: 3,
        agreement: { value: 2 / 3, low: expect.closeTo(0.2077, 4), high: expect.closeTo(0.9385, 4), n: 3 },
        meanAbsDiff: expect.closeTo(0.15, 9), // of 0.9 - 0.7 and 0.6 - 0.5; the labels of the third differ
      },
    });
    expect(other.comparison).toEqual({ n: 0, agreement: null, meanAbsDiff: null });
    expect((await compared('elsewhere'))[0].comparison.n).toBe(0);
    const hourAgo = new Date(Date.now() - 3_600_000).toISOString();
    const before = { from: new Date(Date.now() - 7_200_000).toISOString(), to: hourAgo };
    expect((await compared('classes', before))[0].comparison.n).toBe(0);
    const refused = await api.execute(COMPARED, { name: 'classes', window: { last: 'soon' } });
    expect(refused.errors?.[0]?.extensions.code).toBe('BAD_WINDOW');
  });
});

describe('a shadow of numbers', () => {
  it('is compared by value', async () => {
    const [primary, shadow] = [await seeded('price', values), await seeded('price', values)];
    await endpoint('values', primary, [shadow]);
    const answer = event('values', primary, [{ value: 10 }, { value: -1 }]);
    await ingest(api.deps, [answer, behind(answer, shadow, [{ value: 13 }, { value: -2 }])]);
    const [{ comparison }] = await compared('values');
    expect(comparison).toEqual({ n: 2, agreement: null, meanAbsDiff: 2 });
  });
});

describe('what events say of the request', () => {
  it('is stored: role, by what the version was chosen, the values of logged columns', async () => {
    const version = await seeded('said');
    await endpoint('said', version, []);
    const slices = [{ sex: 'male' }];
    const plain = event('said', version, [label('a', 1)]);
    const more = event('said', version, [label('a', 1)], { selectedBy: 'VERSION', slices });
    const bad = event('said', version, [label('a', 1)], { slices: [{ sex: 'nul\0' }] });
    expect(await ingest(api.deps, [plain, more, bad])).toEqual({ accepted: 2, duplicates: 0, dropped: 1 });
    const stored = await api.deps.prisma.predictionEvent.findMany({ where: { modelVersionId: version.uuid } });
    const byId = new Map(stored.map((row) => [row.id, row]));
    expect(byId.get(plain.id)).toMatchObject({ role: 'PRIMARY', shadowOf: null, selectedBy: 'WEIGHT', slices: null });
    expect(byId.get(more.id)).toMatchObject({ selectedBy: 'VERSION', slices });
  });
});
