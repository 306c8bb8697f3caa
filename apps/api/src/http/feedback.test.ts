/** Feedback from the edge's outbox to LIVE evaluations: joined in any order, counted once, judged by the class list. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../../../test/testkit/api.ts';
import { answered, classes, deliver, told } from '../../../../test/testkit/events.ts';
import { type SeededVersion, type SeedRows, seedVersion } from '../../../../test/testkit/seed.ts';
import type { EdgeEvent } from '../contract.ts';
import { deleteOldEvents } from '../domain/prediction-events.ts';
import { createProject } from '../domain/project.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
  for (const name of ['iris', 'other'])
    await api.deps.prisma.endpoint.create({ data: { projectId: api.projectId, name, revision: 1 } });
});
afterAll(() => api?.close());

const seeded = (modelName: string, rows: SeedRows = { classes: ['a', 'b'], truth: [0], probabilities: [[1, 0]] }) =>
  seedVersion(api.deps, { projectId: api.projectId, modelName, rows });

const MINUTE_MS = 60_000;
const send = async (...events: EdgeEvent[]) => await deliver(api, events);

const FIELDS = `source n labelled unknownLabels accuracy { value n } f1(average: MACRO) { value low high n }
  confusionMatrix { labels counts }`;
const liveOf = async (version: SeededVersion, fields = FIELDS, args = '') => {
  const query = `query ($id: ID!) { modelVersion(id: $id) { evaluation(source: LIVE${args}) { ${fields} } } }`;
  const answer = await api.execute(query, { id: version.id });
  expect(answer.errors).toBeUndefined();
  return answer.data.modelVersion.evaluation;
};
const countsOf = async (version: SeededVersion) => (await liveOf(version)).confusionMatrix.counts;

describe('feedback and predictions are joined', () => {
  // Four labelled rows: a as a, a as b, b as b, b as b; the fifth has no label.
  const truth = ['a', 'a', 'b', 'b', null];
  const expected = {
    source: 'LIVE',
    n: 5,
    labelled: 4,
    unknownLabels: 0,
    accuracy: { value: 3 / 4, n: 4 },
    confusionMatrix: {
      labels: ['a', 'b'],
      counts: [
        [1, 1],
        [0, 2],
      ],
    },
  };
  const predicted = classes('a', 'b', 'b', 'b', 'a');

  it.each(['before', 'after', 'with'])('when it comes %s its prediction', async (order) => {
    const version = await seeded(`joins ${order}`);
    const event = answered(version, predicted);
    const feedback = told(event, truth);
    if (order === 'with') await send(feedback, event);
    else for (const one of order === 'before' ? [feedback, event] : [event, feedback]) await send(one);
    const live = await liveOf(version);
    expect(live).toMatchObject(expected);
    // a: P 1/1, R 1/2, F1 2/3; b: P 2/3, R 2/2, F1 4/5
    expect(live.f1.value).toBeCloseTo((2 / 3 + 4 / 5) / 2, 12);
    expect(live.f1.low).toBeLessThanOrEqual(live.f1.value);
  });

  it('once, however often and in whatever pieces it comes', async () => {
    const version = await seeded('twice');
    const event = answered(version, predicted);
    const feedback = told(event, truth);
    const half = told(event, ['a', null, 'b']);
    await send(feedback, event, half);
    await Promise.all([send(feedback, feedback, event), send(half), send(event, feedback)]);
    expect(await liveOf(version)).toMatchObject(expected);
  });

  it('by the label of the latest time, in whatever order they come', async () => {
    const version = await seeded('changes');
    const event = answered(version, classes('a', 'a'));
    const [first, last] = [told(event, ['b', 'b']), told(event, ['a'], { afterMs: 2000 })];
    await send(event, first);
    expect(await countsOf(version)).toEqual([
      [0, 0],
      [2, 0],
    ]);
    const changed = [
      [1, 0],
      [1, 0],
    ];
    await send(last);
    expect(await countsOf(version)).toEqual(changed);
    await send(first); // the outbox delivers it again
    await send(last, first);
    expect(await countsOf(version)).toEqual(changed);
  });

  it('only at the endpoint that was told', async () => {
    const version = await seeded('endpoints');
    const [here, there] = [
      answered(version, classes('a', 'b')),
      answered(version, classes('a'), { endpoint: 'other' }),
    ];
    // Who may call one endpoint cannot label, or label anew, what another one answered.
    const stolen = told(here, ['b', 'a'], { endpoint: 'other', afterMs: 5000 });
    await send(here, there, told(here, ['a', 'b']), stolen, told(there, ['b']));
    const accuracy = 'n labelled accuracy { value }';
    expect(await liveOf(version, accuracy)).toEqual({ n: 3, labelled: 3, accuracy: { value: 2 / 3 } });
    expect(await liveOf(version, accuracy, ', endpoint: "iris"')).toMatchObject({ n: 2, accuracy: { value: 1 } });
    expect(await liveOf(version, accuracy, ', endpoint: "other"')).toMatchObject({ n: 1, accuracy: { value: 0 } });
    expect(await liveOf(version, accuracy, ', endpoint: "none"')).toMatchObject({ n: 0, accuracy: { value: null } });
  });
});

describe('labels', () => {
  it('are judged by the class list: what names no class counts apart', async () => {
    const version = await seeded('judged');
    const event = answered(version, classes('a', 'b', 'a', 'b'));
    await send(event, told(event, ['a', 'A', 'zebra', 'b']));
    expect(await liveOf(version)).toMatchObject({ n: 4, labelled: 2, unknownLabels: 2, accuracy: { value: 1, n: 2 } });
  });

  it('name classes by numeric value too', async () => {
    const rows = { classes: ['1', '2.0', '3'], truth: [0], probabilities: [[1, 0, 0]] };
    const version = await seeded('numbers', rows);
    const event = answered(version, classes('1', '2.0', '3', '3'));
    await send(event, told(event, ['1.0', '2', '3e0', '4']));
    const { labelled, unknownLabels, confusionMatrix } = await liveOf(version);
    expect({ labelled, unknownLabels, ...confusionMatrix }).toEqual({
      labelled: 3,
      unknownLabels: 1,
      labels: ['1', '2.0', '3'],
      counts: [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
      ],
    });
  });

  it('of a regression are numbers', async () => {
    const version = await seeded('price', { truth: [1, 2], values: [1, 2] });
    const event = answered(
      version,
      [1, 2, 3, 6, 9].map((value) => ({ value })),
    );
    await send(event, told(event, ['1', '2.0', '3e0', '4', 'dear']));
    const fields = 'n labelled unknownLabels rmse { value n } mae { value } r2 { value } accuracy { value }';
    expect(await liveOf(version, fields)).toEqual({
      n: 5,
      labelled: 4,
      unknownLabels: 1,
      rmse: { value: 1, n: 4 },
      mae: { value: 0.5 },
      r2: { value: 1 - 4 / 5 },
      accuracy: null,
    });
  });

  it('of no prediction count nowhere: an index beyond, a failed request, an unknown event', async () => {
    const version = await seeded('nowhere');
    const event = answered(version, classes('a'));
    const failed = answered(version, [], { status: 'ERROR', errorCode: 'X', predictions: null, instances: 3 });
    await send(
      event,
      failed,
      told(event, [null, 'a']),
      told(failed, ['a']),
      told({ ...event, id: randomUUID() }, ['a']),
    );
    expect(await liveOf(version)).toMatchObject({ n: 1, labelled: 0, accuracy: { value: null, n: 0 } });
  });
});

describe('the door', () => {
  it('drops feedback of unknown endpoints and of no form, and takes the rest', async () => {
    const version = await seeded('drops');
    const event = answered(version, classes('a'));
    const good = told(event, ['a']);
    const bad = [
      told(event, ['a'], { endpoint: 'unknown' }),
      told(event, ['nul\0']),
      told(event, ['half \ud800']),
      told(event, ['a'], { afterMs: -31 * 86_400_000 }),
      { ...good, labels: [] },
      { ...good, time: 'now' },
      { ...good, labels: [{ eventId: 'x', index: 0, label: 'a' }] },
      { ...good, labels: [{ eventId: event.id, index: -1, label: 'a' }] },
    ];
    expect(await send(...bad, event, good)).toEqual({ accepted: 2, duplicates: 0, dropped: bad.length });
    expect(await liveOf(version)).toMatchObject({ n: 1, labelled: 1 });
  });

  it('never deadlocks over the same labels in another order', async () => {
    const version = await seeded('crossed');
    const events = Array.from({ length: 40 }, () => answered(version, classes('a', 'b')));
    await send(...events);
    const batches = Array.from({ length: 8 }, (_, i) => {
      const feedback = events.map((event) => told(event, ['a', 'b'], { afterMs: 1000 + i }));
      return i % 2 ? feedback : feedback.toReversed();
    });
    await Promise.all(batches.map((batch) => send(...batch)));
    expect(await liveOf(version)).toMatchObject({ n: 80, labelled: 80, accuracy: { value: 1 } });
  });
});

describe('a LIVE evaluation', () => {
  it('speaks of the predictions of its window, and of nothing stored', async () => {
    const version = await seeded('windows');
    const ago = (minutes: number) => ({ time: new Date(Date.now() - minutes * MINUTE_MS).toISOString() });
    const old = answered(version, classes('a', 'a'), ago(90));
    const young = answered(version, classes('b'), ago(5));
    await send(old, young, told(old, ['b', 'a'], { afterMs: 88 * MINUTE_MS }), told(young, ['b']));
    const within = (last: string) => liveOf(version, 'n labelled accuracy { value }', `, window: { last: "${last}" }`);
    expect(await within('1h')).toEqual({ n: 1, labelled: 1, accuracy: { value: 1 } });
    expect(await within('2h')).toEqual({ n: 3, labelled: 3, accuracy: { value: 2 / 3 } });
    const rest = 'from to wasmDigest edgeBuild datasetDigest stale logLoss { value } threshold positiveClass';
    const { from, to, ...others } = await liveOf(version, rest);
    expect(Date.parse(to) - Date.parse(from)).toBeGreaterThanOrEqual(24 * 60 * MINUTE_MS);
    expect(others).toEqual({
      wasmDigest: null,
      edgeBuild: null,
      datasetDigest: null,
      stale: false,
      logLoss: { value: null },
      threshold: 0.5,
      positiveClass: 'b',
    });
  });

  it('says how late labels are', async () => {
    const version = await seeded('late');
    const events = [1000, 2000, 3000, 4000, 60_000].map((afterMs) => ({
      event: answered(version, classes('a')),
      afterMs,
    }));
    await send(...events.flatMap(({ event, afterMs }) => [event, told(event, ['a'], { afterMs })]));
    const { labelDelay } = await liveOf(version, 'labelDelay { p50 p95 }');
    expect(labelDelay.p50).toBeCloseTo(3, 6);
    expect(labelDelay.p95).toBeCloseTo(4 + 0.8 * 56, 6); // between the last two, linear
    expect(await liveOf(await seeded('silent'), 'labelDelay { p50 }')).toEqual({ labelDelay: null });
  });

  it('refuses a threshold and a window that cannot be read', async () => {
    const version = await seeded('refused');
    const codeOf = async (args: string) => {
      const query = `query ($id: ID!) { modelVersion(id: $id) { evaluation(source: LIVE, ${args}) { n } } }`;
      return (await api.execute(query, { id: version.id })).errors?.[0]?.extensions.code;
    };
    expect(await codeOf('threshold: 0.3')).toBe('BAD_THRESHOLD');
    expect(await codeOf('window: { last: "soon" }')).toBe('BAD_WINDOW');
  });

  it('counts for its own version alone, and a page of versions is read by one statement', async () => {
    for (let i = 0; i < 3; i++) {
      const event = answered(await seeded('paged'), classes('a', 'a', 'a'));
      await send(event, told(event, ['a', 'b', 'b'].slice(0, i + 1)));
    }
    const evaluation = 'evaluation(source: LIVE, window: { last: "1h" }) { n labelled accuracy { value } }';
    const query = `{ model(name: "paged") { versions { nodes { ${evaluation} } } } }`;
    const statements = await api.statements(async () => {
      const { data } = await api.execute(query);
      expect(data.model.versions.nodes.map((node: { evaluation: unknown }) => node.evaluation)).toEqual([
        { n: 3, labelled: 3, accuracy: { value: 1 / 3 } },
        { n: 3, labelled: 2, accuracy: { value: 1 / 2 } },
        { n: 3, labelled: 1, accuracy: { value: 1 } },
      ]);
    });
    expect(statements.filter((sql) => !sql.includes('"ApiKey"'))).toHaveLength(2);
  });

  it('is for the own project', async () => {
    const { projectId } = await createProject(api.deps, { name: 'stranger' });
    const rows = { classes: ['a', 'b'], truth: [0], probabilities: [[1, 0]] };
    const foreign = await seedVersion(api.deps, { projectId, rows });
    const { data } = await api.execute(
      'query ($id: ID!) { modelVersion(id: $id) { evaluation(source: LIVE) { n } } }',
      { id: foreign.id },
    );
    expect(data.modelVersion).toBeNull();
  });
});

describe('retention', () => {
  it('deletes old labels with the events', async () => {
    const version = await seeded('aged');
    const time = new Date(Date.now() - 20 * 86_400_000).toISOString();
    const [old, young] = [answered(version, classes('a'), { time }), answered(version, classes('a'))];
    await send(old, young, told(old, ['a']), told(young, ['a']));
    await deleteOldEvents(api.deps, 15);
    const eventId = { in: [old.id, young.id] };
    const kept = await api.deps.prisma.feedback.findMany({ where: { eventId }, select: { eventId: true } });
    expect(kept).toEqual([{ eventId: young.id }]);
  });
});
