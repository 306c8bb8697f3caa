/** Live truth of a shadow and of slices, and feedback that is told through the API. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../../../test/testkit/api.ts';
import { answered, classes, deliver, shadowed, told } from '../../../../test/testkit/events.ts';
import { type SeededVersion, seedVersion } from '../../../../test/testkit/seed.ts';
import { mutate } from '../schema/testing.ts';

let api: TestApi;
const endpoints: Record<string, string> = {};
beforeAll(async () => {
  api = await startTestApi({ edge: { url: 'http://127.0.0.1:1', adminSecret: 'test admin secret', waitMs: 1 } });
  for (const name of ['iris', 'other']) {
    const { id } = await api.deps.prisma.endpoint.create({ data: { projectId: api.projectId, name } });
    endpoints[name] = id;
  }
});
afterAll(() => api?.close());

const seeded = (modelName: string) =>
  seedVersion(api.deps, {
    projectId: api.projectId,
    modelName,
    rows: { classes: ['a', 'b'], truth: [0], probabilities: [[1, 0]] },
  });
const evaluationOf = async (version: SeededVersion, args: string, fields = 'source n labelled accuracy { value }') => {
  const query = `query ($id: ID!) { modelVersion(id: $id) { evaluation(${args}) { ${fields} } } }`;
  const answer = await api.execute(query, { id: version.id });
  expect(answer.errors).toBeUndefined();
  return answer.data.modelVersion.evaluation;
};

describe('a shadow', () => {
  it('is judged by the feedback to the answers that it was run behind, apart from its own', async () => {
    const [primary, shadow] = [await seeded('primary'), await seeded('shadow')];
    const first = answered(primary, classes('a', 'a', 'b'));
    const own = answered(shadow, classes('b'));
    const behind = shadowed(shadow, first, classes('a', 'b', 'b'));
    const failed = shadowed(shadow, answered(primary, classes('a')), [], { status: 'ERROR', predictions: null });
    await deliver(api, [first, behind, failed, own, told(first, ['a', 'b', null]), told(own, ['a'])]);
    expect(await evaluationOf(shadow, 'source: SHADOW')).toEqual({
      source: 'SHADOW',
      n: 3,
      labelled: 2,
      accuracy: { value: 1 },
    });
    expect(await evaluationOf(shadow, 'source: LIVE')).toMatchObject({ n: 1, labelled: 1, accuracy: { value: 0 } });
    expect(await evaluationOf(primary, 'source: LIVE')).toMatchObject({ n: 3, labelled: 2, accuracy: { value: 0.5 } });
    expect(await evaluationOf(primary, 'source: SHADOW')).toMatchObject({ n: 0, labelled: 0 });
    expect(await evaluationOf(shadow, 'source: SHADOW, endpoint: "other"')).toMatchObject({ n: 0, labelled: 0 });
  });
});

describe('a slice', () => {
  let version: SeededVersion;
  beforeAll(async () => {
    version = await seeded('sliced');
    const at = (...plans: (string | null)[]) =>
      plans.map((plan): Record<string, string> => (plan === null ? {} : { plan, 'no "quote': 'x' }));
    const first = answered(version, classes('a', 'a', 'b'), { slices: at('basic', 'pro', null) });
    const second = answered(version, classes('b', 'b'), { slices: at('basic', 'basic'), endpoint: 'other' });
    const bare = answered(version, classes('a'));
    const failed = answered(version, [], { status: 'ERROR', predictions: null, slices: at('basic') });
    await deliver(api, [first, second, bare, failed]);
    await deliver(api, [told(first, ['a', 'b', 'b']), told(second, ['b', null]), told(bare, ['b'])]);
  });
  const slice = (value: string, column = 'plan') => `source: LIVE, slice: { column: "${column}", value: "${value}" }`;

  it('counts the predictions of its instances alone', async () => {
    expect(await evaluationOf(version, 'source: LIVE')).toMatchObject({ n: 6, labelled: 5 });
    expect(await evaluationOf(version, slice('basic'))).toMatchObject({ n: 3, labelled: 2, accuracy: { value: 1 } });
    expect(await evaluationOf(version, slice('pro'))).toMatchObject({ n: 1, labelled: 1, accuracy: { value: 0 } });
    expect(await evaluationOf(version, `${slice('basic')}, endpoint: "iris"`)).toMatchObject({ n: 1, labelled: 1 });
    for (const none of [slice('none'), slice('basic', 'colour'), slice("'; --", "' OR true --")])
      expect(await evaluationOf(version, none)).toMatchObject({ n: 0, labelled: 0, accuracy: { value: null } });
  });

  it('is listed with its counts, a page of versions by one statement', async () => {
    const slices = (args = '') => `slices(column: "plan"${args}) { value n labelled }`;
    const query = `query ($id: ID!) { modelVersion(id: $id) { ${slices()} here: ${slices(', endpoint: "iris"')} } }`;
    expect((await api.execute(query, { id: version.id })).data.modelVersion).toEqual({
      slices: [
        { value: 'basic', n: 3, labelled: 2 },
        { value: 'pro', n: 1, labelled: 1 },
      ],
      here: [
        { value: 'basic', n: 1, labelled: 1 },
        { value: 'pro', n: 1, labelled: 1 },
      ],
    });
    await seeded('sliced');
    const page = `{ model(name: "sliced") { versions { nodes { ${slices()} } } } }`;
    const statements = await api.statements(async () => {
      const { data } = await api.execute(page);
      expect(data.model.versions.nodes.map((node: { slices: unknown[] }) => node.slices.length)).toEqual([0, 2]);
    });
    expect(statements.filter((sql) => !sql.includes('"ApiKey"'))).toHaveLength(2);
  });
});

describe('recordFeedback', () => {
  const record = (feedback: object[], key?: string, endpoint = 'iris') =>
    mutate(api, 'recordFeedback', 'accepted', { endpoint, feedback }, key);
  const idOf = (event: { id: string }, version: SeededVersion, index: number) =>
    `${event.id}.${version.uuid.replaceAll('-', '').slice(-12)}.${index}`;
  const serve = async (version: SeededVersion) => {
    const id = String(endpoints.iris);
    const { revision } = await api.deps.prisma.endpoint.update({ where: { id }, data: { revision: { increment: 1 } } });
    const variants = { create: { modelVersionId: version.uuid, weight: 1 } };
    await api.deps.prisma.endpointRevision.create({
      data: { endpointId: id, number: revision, reason: 'DEPLOY', variants },
    });
  };

  it('means what the edge means: before or after the event, the last label counts', async () => {
    const version = await seeded('told');
    await serve(version);
    const event = answered(version, classes('a', 'b'));
    const [first, second] = [idOf(event, version, 0), idOf(event, version, 1)];
    const feedback = [
      { id: first, label: 'b' },
      { id: second, label: 'b' },
    ];
    expect(await record(feedback)).toEqual({ accepted: 2, userErrors: [] });
    await deliver(api, [event]);
    expect(await evaluationOf(version, 'source: LIVE')).toMatchObject({ labelled: 2, accuracy: { value: 0.5 } });
    await Promise.all([record([{ id: second, label: 'b' }]), record([{ id: second, label: 'b' }])]);
    await record([{ id: first, label: 'a' }]);
    expect(await evaluationOf(version, 'source: LIVE')).toMatchObject({ labelled: 2, accuracy: { value: 1 } });
  });

  it('takes all or none, and says what is wrong where', async () => {
    const version = await seeded('strict');
    await serve(version);
    const event = answered(version, classes('a'));
    await deliver(api, [event]);
    const good = { id: idOf(event, version, 0), label: 'a' };
    const refused = async (...args: Parameters<typeof record>) => (await record(...args)).userErrors;
    expect(await refused([good, { ...good, label: 'zebra' }])).toEqual([
      { code: 'UNKNOWN_LABEL', field: ['feedback', '1', 'label'], message: 'Expected one of a, b; got "zebra".' },
    ]);
    expect(await refused([{ ...good, id: 'x' }])).toMatchObject([
      { code: 'INVALID_PREDICTION_ID', field: ['feedback', '0', 'id'] },
    ]);
    expect(await refused([good], undefined, 'none')).toMatchObject([{ code: 'NOT_FOUND', field: ['endpoint'] }]);
    expect(await refused([])).toMatchObject([{ code: 'INVALID_INPUT', field: ['feedback'] }]);
    expect(await evaluationOf(version, 'source: LIVE')).toMatchObject({ n: 1, labelled: 0 });
    // What is not served any more is judged when labels are counted.
    await serve(await seeded('newer'));
    expect(await record([{ ...good, label: 'zebra' }])).toMatchObject({ accepted: 1 });
    expect(await evaluationOf(version, 'source: LIVE', 'labelled unknownLabels')).toEqual({
      labelled: 0,
      unknownLabels: 1,
    });
  });

  it('is for keys that may tell, of the project, at their endpoints', async () => {
    const version = await seeded('mine');
    const good = { id: idOf({ id: '0190f3a0-0000-7000-8000-000000000000' }, version, 0), label: 'a' };
    const { secret: foreign } = await mutate(api, 'createProject', 'secret', { name: 'foreign' });
    expect((await record([good], foreign)).userErrors).toMatchObject([{ code: 'NOT_FOUND' }]);
    const key = async (scopes: string[]) =>
      await mutate(api, 'createApiKey', 'secret apiKey { prefix }', { name: 'x', scopes });
    const reader = await key(['read']);
    const call = 'mutation ($input: RecordFeedbackInput!) { recordFeedback(input: $input) { accepted } }';
    const { errors } = await api.execute(call, { input: { endpoint: 'iris', feedback: [good] } }, reader.secret);
    expect(errors?.map((error) => error.extensions.code)).toEqual(['FORBIDDEN']);
    const teller = await key(['feedback']);
    expect(await record([good], teller.secret)).toMatchObject({ accepted: 1 });
    const { prefix } = teller.apiKey;
    await api.deps.prisma.apiKey.updateMany({ where: { prefix }, data: { endpoints: ['other'] } });
    expect((await record([good], teller.secret)).userErrors).toMatchObject([{ code: 'NOT_FOUND' }]);
  });
});
