/** Guardrails through GraphQL over real rows: what counts, what is decided, what is deployed, and what is refused. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../../../test/testkit/api.ts';
import { answered, classes, deliver, shadowed, told } from '../../../../test/testkit/events.ts';
import { type SeededVersion, seedVersion } from '../../../../test/testkit/seed.ts';
import type { EdgeEvent, PredictionEvent } from '../contract.ts';
import { checkGuardrails } from '../domain/guardrail-watch.ts';
import { mutate } from './testing.ts';

const GUARDRAIL = `id status verdict ended role alpha minSamples act metrics { metric margin thresholdMs tolerance }
  challenger { id } baseline { id }
  evidence { metric finding baseline { n value } challenger { n value } difference low high alpha }
  decisions { totalCount nodes { verdict revision ledTo evidence { metric finding } } }`;
const EDGE = { url: 'http://127.0.0.1:1', adminSecret: 'test admin secret', waitMs: 1 };

let api: TestApi;
let champion: SeededVersion;
let challenger: SeededVersion;
let endpoint = '';
let number = 0;
beforeAll(async () => {
  api = await startTestApi({ edge: EDGE });
  champion = await seeded();
  challenger = await seeded();
});
afterAll(() => api?.close());
beforeEach(async () => {
  endpoint = `e${++number}`;
  await deploy();
});

const seeded = (rows: Parameters<typeof seedVersion>[1]['rows'] = CLASSES) =>
  seedVersion(api.deps, { projectId: api.projectId, rows });
const CLASSES = { classes: ['a', 'b'], truth: [0], probabilities: [[1, 0]] };

const deploy = async (extra: object = {}, variants: object[] = both()) => {
  const { userErrors } = await mutate(api, 'deploy', '__typename', { endpoint, variants, ...extra });
  // No edge listens here: the revision is stored all the same.
  expect(userErrors.map(({ code }: { code: string }) => code)).toEqual(['EDGE_UNREACHABLE']);
};
const both = () => [
  { modelVersionId: champion.id, weight: 9 },
  { modelVersionId: challenger.id, weight: 1 },
];
const create = async (input: object = {}) =>
  await mutate(api, 'createGuardrail', `guardrail { ${GUARDRAIL} }`, {
    endpoint,
    challenger: challenger.id,
    metrics: [{ metric: 'ERROR_RATE' }],
    ...input,
  });
const guard = async (input: object = {}) => {
  const { guardrail, userErrors } = await create(input);
  expect(userErrors).toEqual([]);
  return guardrail;
};
const refused = async (input: object) => {
  const { guardrail, userErrors } = await create(input);
  expect(guardrail).toBeNull();
  return userErrors.map(({ code, field }: { code: string; field: string[] }) => `${code} ${field?.join('.')}`);
};
const look = async (id: string) => {
  await checkGuardrails(api.deps);
  const query = `query ($id: ID!) { node(id: $id) { ... on Guardrail { ${GUARDRAIL} } } }`;
  return (await api.execute(query, { id })).data.node;
};
const served = async () => {
  const query = `query ($name: String!) { endpoint(name: $name) { revision variants { weight modelVersion { id } } } }`;
  return (await api.execute(query, { name: endpoint })).data.endpoint;
};

/** Requests that `of` answered: the first `bad` of them badly. */
const requests = (
  of: SeededVersion,
  n: number,
  bad: number,
  how: (isBad: boolean) => Partial<PredictionEvent> = failing,
): PredictionEvent[] =>
  Array.from({ length: n }, (_, i) => answered(of, classes('a'), { endpoint, time: soon(), ...how(i < bad) }));
const failing = (isBad: boolean): Partial<PredictionEvent> =>
  isBad ? { status: 'ERROR', errorCode: 'X', predictions: null } : {};
/** After every guardrail that was created before. */
const soon = () => new Date(Date.now() + 1000).toISOString();
const send = async (events: readonly EdgeEvent[]) => {
  for (let i = 0; i < events.length; i += 500) await deliver(api, events.slice(i, i + 500));
};

describe('a verdict', () => {
  it('is CONTINUE while nothing is certain, and no decision', async () => {
    const { id, verdict, evidence, baseline, role } = await guard();
    const expected = { verdict: 'CONTINUE', evidence: [], role: 'PRIMARY', baseline: { id: champion.id } };
    expect({ verdict, evidence, role, baseline }).toEqual(expected);
    await send([...requests(champion, 900, 18), ...requests(challenger, 100, 2)]);
    const now = await look(id);
    expect(now).toMatchObject({ status: 'ACTIVE', verdict: 'CONTINUE', decisions: { totalCount: 0 } });
    expect(now.evidence).toMatchObject([
      { metric: 'ERROR_RATE', finding: 'OPEN', baseline: { n: 900, value: 0.02 }, difference: 0, alpha: 0.05 },
    ]);
    expect(now.evidence[0].low).toBeLessThan(0);
    expect(now.evidence[0].high).toBeGreaterThan(0);
  });

  it('is ROLL_BACK when requests fail more often, said once, and nothing is deployed unless asked', async () => {
    const { id } = await guard();
    await send([...requests(champion, 300, 3), ...requests(challenger, 60, 30)]);
    expect(await look(id)).toMatchObject({
      status: 'ACTIVE',
      verdict: 'ROLL_BACK',
      evidence: [{ finding: 'WORSE', challenger: { n: 60, value: 0.5 }, difference: 0.49 }],
      decisions: { nodes: [{ verdict: 'ROLL_BACK', revision: 1, ledTo: null, evidence: [{ finding: 'WORSE' }] }] },
    });
    expect((await look(id)).decisions.totalCount).toBe(1);
    expect((await served()).revision).toBe(1);
    // It is taken back when later data say so.
    await send(requests(challenger, 6000, 60));
    expect(await look(id)).toMatchObject({ verdict: 'CONTINUE', decisions: { totalCount: 2 } });
  });

  it('is ROLL_BACK of slow requests, above the threshold that the baseline had before', async () => {
    await send(
      requests(champion, 200, 10, (slow) => ({ durationUs: slow ? 9000 : 1000, time: new Date().toISOString() })),
    );
    const { id, metrics } = await guard({ metrics: [{ metric: 'LATENCY' }] });
    expect(metrics[0].thresholdMs).toBeGreaterThan(0.9);
    expect(metrics[0].thresholdMs).toBeLessThan(1.1);
    const durations = (slow: boolean) => ({ durationUs: slow ? 2000 : 500 });
    await send([...requests(champion, 300, 9, durations), ...requests(challenger, 80, 40, durations)]);
    expect(await look(id)).toMatchObject({
      verdict: 'ROLL_BACK',
      evidence: [{ metric: 'LATENCY', baseline: { n: 300, value: 0.03 }, challenger: { n: 80, value: 0.5 } }],
    });
  });

  it('is ROLL_BACK of wrong predictions as the labels come, in the direction of right ones', async () => {
    const { id } = await guard({ metrics: [{ metric: 'QUALITY' }] });
    const [good, bad] = [requests(champion, 200, 0), requests(challenger, 100, 0)];
    await send([...good, ...bad]);
    expect(await look(id)).toMatchObject({ verdict: 'CONTINUE', evidence: [{ baseline: { n: 0, value: null } }] });
    await send([
      ...good.map((event, i) => told(event, [i % 10 ? 'a' : 'b'])),
      ...bad.map((event, i) => told(event, [i % 2 ? 'a' : 'b'])),
      ...bad.slice(0, 1).map((event) => told(event, ['zebra'], { afterMs: 5000 })), // no class: it counts nowhere
    ]);
    const { verdict, evidence } = await look(id);
    expect(verdict).toBe('ROLL_BACK');
    expect(evidence).toMatchObject([{ baseline: { n: 200, value: 0.9 }, challenger: { n: 99, value: 50 / 99 } }]);
    expect(evidence[0].high).toBeLessThan(0);
  });

  it('is PROMOTE when it is not worse by the margins, or better', async () => {
    const { id } = await guard({ metrics: [{ metric: 'ERROR_RATE', margin: 0.1 }] });
    await send([...requests(champion, 900, 9), ...requests(challenger, 300, 3)]);
    expect(await look(id)).toMatchObject({
      verdict: 'PROMOTE',
      evidence: [{ finding: 'NOT_WORSE' }],
      decisions: { nodes: [{ verdict: 'PROMOTE', ledTo: null }] },
    });
    await mutate(api, 'endGuardrail', '__typename', { guardrailId: id });
    const other = await guard({ metrics: [{ metric: 'QUALITY' }, { metric: 'ERROR_RATE' }] });
    const labels = (events: PredictionEvent[], each: number) =>
      events.map((event, i) => told(event, [i % each ? 'a' : 'b']));
    const [worse, better] = [requests(champion, 300, 0), requests(challenger, 300, 0)];
    await send([...worse, ...better, ...labels(worse, 2), ...labels(better, 20)]);
    expect(await look(other.id)).toMatchObject({
      verdict: 'PROMOTE',
      evidence: [
        { metric: 'QUALITY', finding: 'BETTER', alpha: 0.025 },
        { metric: 'ERROR_RATE', finding: 'OPEN', alpha: 0.025 },
      ],
    });
  });

  it('of a ramp compares within each share: a bad hour for both is no fault of the challenger', async () => {
    const { id } = await guard();
    await deploy(
      {},
      both().map(({ modelVersionId }) => ({ modelVersionId, weight: 1 })),
    );
    const later = (isBad: boolean) => ({ ...failing(isBad), revision: 2 });
    await send([...requests(champion, 900, 9), ...requests(challenger, 100, 1)]);
    await send([...requests(champion, 300, 90, later), ...requests(challenger, 300, 90, later)]);
    const { verdict, evidence } = await look(id);
    expect(verdict).toBe('CONTINUE');
    expect(evidence).toMatchObject([{ finding: 'OPEN', baseline: { n: 1200 }, challenger: { n: 400 }, difference: 0 }]);
    await send(requests(challenger, 300, 250, later));
    expect(await look(id)).toMatchObject({ verdict: 'ROLL_BACK' });
  });

  it('counts neither requests that named a version, nor those before it began, nor of other endpoints', async () => {
    const { id } = await guard();
    const ago = new Date(Date.now() - 60_000).toISOString();
    await send([
      ...requests(challenger, 50, 50, (isBad) => ({ ...failing(isBad), selectedBy: 'VERSION' })),
      ...requests(challenger, 50, 50, (isBad) => ({ ...failing(isBad), time: ago })),
      ...requests(challenger, 40, 0, () => ({ selectedBy: 'ROUTE_KEY' })),
      ...requests(champion, 40, 0),
    ]);
    const elsewhere = endpoint;
    endpoint = `e${++number}`;
    await deploy();
    await send(requests(challenger, 50, 50));
    endpoint = elsewhere;
    expect((await look(id)).evidence).toMatchObject([{ baseline: { n: 40 }, challenger: { n: 40, value: 0 } }]);
  });

  it('of a shadow compares both on the same requests', async () => {
    await deploy({ shadow: [{ modelVersionId: challenger.id }] }, [{ modelVersionId: champion.id }]);
    expect(await refused({ metrics: [{ metric: 'LATENCY' }] })).toEqual(['NOT_COMPARABLE metrics.0.metric']);
    const { id, role } = await guard({ metrics: [{ metric: 'ERROR_RATE' }, { metric: 'QUALITY' }], act: true });
    expect(role).toBe('SHADOW');
    const events = requests(champion, 300, 0);
    const shadows = events
      .slice(0, 200)
      .map((event, i) => shadowed(challenger, event, classes(i % 2 ? 'a' : 'b'), failing(i % 50 === 0)));
    await send([...events, ...shadows, ...events.map((event) => told(event, ['a']))]);
    expect(await look(id)).toMatchObject({
      verdict: 'ROLL_BACK',
      ended: 'ACTED',
      evidence: [
        { metric: 'ERROR_RATE', finding: 'OPEN', baseline: { n: 200, value: 0 }, challenger: { n: 200, value: 0.02 } },
        {
          metric: 'QUALITY',
          finding: 'WORSE',
          baseline: { n: 200, value: 1 },
          challenger: { n: 196, value: 100 / 196 },
        },
      ],
      decisions: { nodes: [{ revision: 2, ledTo: 3 }] },
    });
    const where = { role: 'SHADOW' as const, revision: { number: 3, endpoint: { name: endpoint } } };
    expect(await api.deps.prisma.variant.count({ where })).toBe(0);
  });

  it('of a regression calls wrong what is farther off than the tolerance, the MAE of the baseline', async () => {
    const values = { truth: [1, 2], values: [2, 4] };
    [champion, challenger] = [await seeded(values), await seeded(values)];
    try {
      await deploy();
      const { id, metrics } = await guard({ metrics: [{ metric: 'QUALITY' }] });
      expect(metrics).toMatchObject([{ tolerance: 1.5 }]);
      const [near, far] = [1.4, 1.6].map((value) => () => ({ predictions: [{ value }], revision: 2 }));
      const events = [...requests(champion, 50, 0, near), ...requests(challenger, 50, 0, far)];
      await send([...events, ...events.map((event) => told(event, ['0']))]);
      expect((await look(id)).evidence).toMatchObject([
        { baseline: { n: 50, value: 1 }, challenger: { n: 50, value: 0 } },
      ]);
    } finally {
      [champion, challenger] = [await seeded(), await seeded()];
    }
  });
});

describe('acting', () => {
  it('takes a challenger away and leaves the others their weights, once, whoever looks', async () => {
    const third = await seeded();
    await deploy({}, [...both(), { modelVersionId: third.id, weight: 3 }]);
    const { id } = await guard({ act: true });
    await send([...requests(champion, 300, 3), ...requests(challenger, 60, 30)]);
    await Promise.all([1, 2, 3].map(() => checkGuardrails(api.deps)));
    expect(await look(id)).toMatchObject({
      status: 'ENDED',
      ended: 'ACTED',
      verdict: 'ROLL_BACK',
      decisions: { totalCount: 1, nodes: [{ verdict: 'ROLL_BACK', revision: 2, ledTo: 3 }] },
    });
    expect(await served()).toEqual({
      revision: 3,
      variants: [
        { weight: 9, modelVersion: { id: champion.id } },
        { weight: 3, modelVersion: { id: third.id } },
      ],
    });
    const where = { number: 3, endpoint: { name: endpoint }, reason: 'GUARDRAIL' };
    expect(await api.deps.prisma.endpointRevision.count({ where })).toBe(1);
  });

  it('gives all requests to a challenger that is promoted', async () => {
    const { id } = await guard({ act: true, metrics: [{ metric: 'ERROR_RATE', margin: 0.1 }] });
    await send([...requests(champion, 900, 9), ...requests(challenger, 300, 3)]);
    expect(await look(id)).toMatchObject({ ended: 'ACTED', decisions: { nodes: [{ verdict: 'PROMOTE', ledTo: 2 }] } });
    expect(await served()).toEqual({ revision: 2, variants: [{ weight: 1, modelVersion: { id: challenger.id } }] });
  });
});

describe('an end', () => {
  it('comes with a deploy that takes the challenger away', async () => {
    const { id } = await guard({ act: true });
    await deploy({}, [{ modelVersionId: champion.id }]);
    await send([...requests(champion, 300, 3), ...requests(challenger, 60, 30)]);
    expect(await look(id)).toMatchObject({ status: 'ENDED', ended: 'NOT_SERVED', decisions: { totalCount: 0 } });
    expect((await served()).revision).toBe(2);
  });

  it('comes with its days, and says what was known', async () => {
    const { id } = await guard({ maxDays: 1e-9 });
    await send([...requests(champion, 50, 1), ...requests(challenger, 50, 1)]);
    expect(await look(id)).toMatchObject({
      status: 'ENDED',
      ended: 'EXPIRED',
      decisions: { nodes: [{ verdict: 'CONTINUE', ledTo: null, evidence: [{ finding: 'OPEN' }] }] },
    });
  });

  it('comes with endGuardrail, for the own project, and stays', async () => {
    const { id } = await guard();
    const { secret } = await mutate(api, 'createProject', 'secret', { name: endpoint });
    const end = (key?: string) => mutate(api, 'endGuardrail', 'guardrail { status ended }', { guardrailId: id }, key);
    expect((await end(secret)).userErrors).toMatchObject([{ code: 'NOT_FOUND', field: ['guardrailId'] }]);
    expect((await api.execute('query ($id: ID!) { node(id: $id) { id } }', { id }, secret)).data.node).toBeNull();
    expect(await end()).toMatchObject({ guardrail: { status: 'ENDED', ended: 'CANCELED' }, userErrors: [] });
    await send([...requests(champion, 300, 3), ...requests(challenger, 60, 30)]);
    expect(await look(id)).toMatchObject({ ended: 'CANCELED', verdict: 'CONTINUE' });
  });
});

describe('createGuardrail', () => {
  it('refuses what it cannot watch, and says why', async () => {
    const stranger = await seeded();
    expect(await refused({ endpoint: 'none' })).toEqual(['NOT_FOUND endpoint']);
    expect(await refused({ challenger: 'x' })).toEqual(['NOT_FOUND challenger']);
    expect(await refused({ challenger: stranger.id })).toEqual(['NOT_SERVED challenger']);
    expect(await refused({ baseline: stranger.id })).toEqual(['NOT_SERVED baseline']);
    expect(await refused({ baseline: challenger.id })).toEqual(['SAME_VERSION baseline']);
    const metrics = (...all: object[]) => refused({ metrics: all });
    expect(await metrics()).toEqual(['INVALID_INPUT metrics']);
    expect(await metrics({ metric: 'QUALITY' }, { metric: 'QUALITY' })).toEqual(['INVALID_INPUT metrics']);
    expect(await metrics({ metric: 'LATENCY' })).toEqual(['THRESHOLD_NEEDED metrics.0.thresholdMs']);
    expect(await metrics({ metric: 'QUALITY', tolerance: 1 })).toEqual(['INVALID_INPUT metrics.0.tolerance']);
    expect(await metrics({ metric: 'ERROR_RATE', thresholdMs: 1 })).toEqual(['INVALID_INPUT metrics.0.thresholdMs']);
    expect(await refused({ alpha: 0.5 })).toEqual(['INVALID_INPUT alpha']);
    const idempotencyKey = endpoint;
    const { id } = await guard({ idempotencyKey });
    expect((await guard({ idempotencyKey })).id).toBe(id);
    expect(await refused({})).toEqual(['GUARDRAIL_EXISTS challenger']);
  });

  it('lists guardrails of endpoints by a fixed number of statements', async () => {
    const query = `{ endpoints { nodes { guardrails { nodes { ${GUARDRAIL} } } } } }`;
    const count = async () => (await api.statements(() => api.execute(query))).length;
    await guard();
    const before = await count();
    endpoint = `e${++number}`;
    await deploy();
    await guard();
    expect(await count()).toBe(before);
  });
});
