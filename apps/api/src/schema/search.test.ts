/** Searches over a real API; the trainers are played, and what they measure is made up. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../../../test/testkit/api.ts';
import { ask, claim, commit, complete, completion, expireLeases, mutate, type TestClaim } from './testing.ts';

let api: TestApi;
let version: string;
beforeAll(async () => {
  api = await startTestApi();
  version = await commit(api);
});
beforeEach(async () => {
  await api.deps.prisma.run.deleteMany({ where: { status: { in: ['QUEUED', 'RUNNING'] } } });
});
afterAll(() => api.close());

const RATES = [0.1, 0.01, 0.001];
const GRID = { method: 'GRID', parameters: [{ name: 'hyperparameters.learningRate', values: RATES }] };
const RANGE = { name: 'hyperparameters.learningRate', min: 1e-4, max: 1e-1, scale: 'LOG' };
const TRIALS = `name search bestRun { id trial score modelVersion { number } }
  trials(first: 20) { totalCount nodes { number params score rank run { id status errorCode error seed } } }`;

async function experimentOf(id: string) {
  const { data, errors } = await api.execute(`query ($id: ID!) { experiment(id: $id) { ${TRIALS} } }`, { id });
  expect(errors).toBeUndefined();
  return data.experiment;
}
async function claimed(more: object = {}): Promise<TestClaim> {
  const found = await claim(api, more);
  if (!found) throw new Error('nothing to claim');
  return found;
}
const trainer = (name: string, input: object, fields: string) => mutate(api, name, fields, input, api.keys.trainer);
const finish = async (run: TestClaim, score: number) =>
  expect(await complete(api, { ...(await completion(api, run)), score })).toMatchObject({ userErrors: [] });
const rung = async ({ runId, attempt }: TestClaim, epoch: number, score: number) =>
  trainer('reportRung', { runId, attempt, epoch, score }, 'proceeds');

describe('a search', () => {
  it('is its trials, queued in one transaction and claimed in order', async () => {
    const { experimentId } = await ask(api, version, { search: GRID, seed: 5, modelName: 'grid' });
    const { trials, search, bestRun } = await experimentOf(experimentId);
    expect(search).toEqual({ ...GRID, trials: 3, seed: 0, halving: null });
    expect(bestRun).toBeNull();
    expect(trials.totalCount).toBe(3);
    const seen = trials.nodes.map(({ number, params, run }: (typeof trials.nodes)[0]) => [number, params, run.seed]);
    expect(seen).toEqual(RATES.map((rate, i) => [i + 1, { [RANGE.name]: rate }, 5 + i]));
    const ids: string[] = [];
    for (const rate of RATES) {
      const { runId, spec, rungs } = await claimed();
      ids.push(runId);
      expect([spec.optimizer.learningRate, rungs]).toEqual([rate, []]);
    }
    expect(ids).toEqual(trials.nodes.map(({ run }: { run: { id: string } }) => run.id));
    expect(await claim(api)).toBeNull();
  });

  it('knows its best run by the objective on validation, in its direction', async () => {
    for (const [objective, best] of [
      ['LOG_LOSS', 2],
      ['ACCURACY', 1],
    ] as const) {
      const { experimentId } = await ask(api, version, { search: GRID, objective, modelName: `best-${objective}` });
      const runs = [await claimed(), await claimed(), await claimed()];
      for (const [i, run] of runs.entries()) await finish(run, [0.9, 0.2, 0.5][i] ?? 0);
      const { bestRun, trials } = await experimentOf(experimentId);
      expect(bestRun).toMatchObject({ trial: best, modelVersion: { number: best } });
      const ranks = trials.nodes.map(({ rank, score }: { rank: number; score: number }) => [rank, score]);
      expect(ranks.toSorted()).toEqual(
        objective === 'ACCURACY'
          ? [
              [1, 0.9],
              [2, 0.5],
              [3, 0.2],
            ]
          : [
              [1, 0.2],
              [2, 0.5],
              [3, 0.9],
            ],
      );
    }
  });

  it('prefers the earlier of equal trials, whichever ends first', async () => {
    const { experimentId } = await ask(api, version, { search: GRID, modelName: 'equal' });
    const [first, second, third] = [await claimed(), await claimed(), await claimed()];
    await finish(second, 0.25);
    await finish(first, 0.25);
    await finish(third, 0.25);
    expect((await experimentOf(experimentId)).bestRun).toMatchObject({ trial: 1 });
  });

  it('shows the score while a trial runs, and none of a trial that failed or began again', async () => {
    const { experimentId } = await ask(api, version, { search: GRID });
    const { runId, attempt } = await claimed();
    const report = { runId, attempt, points: [], score: 0.75 };
    expect((await trainer('reportMetrics', report, 'ok')).ok).toBe(true);
    const first = async () => (await experimentOf(experimentId)).trials.nodes[0];
    expect(await first()).toMatchObject({ score: 0.75, rank: 1 });
    await expireLeases(api);
    await claimed();
    expect(await first()).toMatchObject({ score: null, rank: null });
    await trainer('reportMetrics', { ...report, attempt: 2 }, 'ok');
    await trainer('failRun', { runId, attempt: 2, code: 'DIVERGED', message: 'at step 3' }, '__typename');
    expect(await first()).toMatchObject({ score: 0.75, rank: null, run: { status: 'FAILED' } });
  });

  it('is refused with the nearest name, and nothing is written', async () => {
    const before = await api.deps.prisma.experiment.count();
    const search = { ...GRID, parameters: [{ name: 'hyperparameters.learningrate', values: [1] }] };
    const input = { name: 'x', datasetVersionId: version, search };
    const { experiment, userErrors } = await mutate(api, 'createExperiment', 'experiment { id }', input);
    expect(experiment).toBeNull();
    expect(userErrors).toEqual([
      {
        code: 'UNKNOWN_PARAMETER',
        field: ['search', 'parameters', '0', 'name'],
        message: expect.stringContaining('did you mean "hyperparameters.learningRate"'),
      },
    ]);
    expect(await api.deps.prisma.experiment.count()).toBe(before);
  });

  it('of a thousand trials costs a bounded number of statements, and so does a page of searches', async () => {
    const search = { method: 'RANDOM', trials: 1000, parameters: [RANGE] };
    const writes = await api.statements(() => ask(api, version, { search, modelName: 'thousand' }));
    expect(writes.filter((sql) => sql.startsWith('INSERT'))).toHaveLength(12); // experiment, model, 10 x 100 runs
    expect(writes.length).toBeLessThan(30);
    await ask(api, version, { search: GRID });
    const reads = await api.statements(async () => {
      const page = await api.execute(`{ experiments(first: 5) { nodes { name bestRun { id score } trials(first: 5) {
        nodes { number rank score params run { id status } } } } } }`);
      expect(page.errors).toBeUndefined();
      expect(page.data.experiments.nodes[1].trials.nodes).toHaveLength(5);
    });
    expect(reads.length, reads.join('\n')).toBeLessThanOrEqual(3); // the key, the page, the ranks
  });
});

describe('successive halving', () => {
  const search = { method: 'ASHA', trials: 6, reductionFactor: 2, minEpochs: 2, parameters: [RANGE] };
  const begin = async (modelName: string) =>
    (await ask(api, version, { search, modelName, budget: { maxEpochs: 8, patience: null } })).experimentId;

  it('lets the best go on and ends the others as canceled by the search', async () => {
    const experimentId = await begin('halving');
    const runs: TestClaim[] = [];
    for (let i = 0; i < 6; i++) runs.push(await claimed());
    const [a, b, c, d, e, f] = runs;
    if (!a || !b || !c || !d || !e || !f) throw new Error('too few claims');
    expect(a.rungs).toEqual([2, 4]);
    const answers = [];
    for (const [run, score] of [
      [a, 0.5],
      [b, 0.6],
      [c, 0.4],
      [d, 0.45],
      [e, 0.7],
      [f, 0.3],
    ] as const)
      answers.push((await rung(run, 2, score)).proceeds);
    // of k that came the best floor(k / 2) go on: b is 2nd of 2, d 2nd of 4, e 5th of 5
    expect(answers).toEqual([true, false, true, true, false, true]);
    expect((await rung(a, 4, 0.5)).proceeds).toBe(true);
    await finish(c, 0.2); // never reached epoch 4, and stands there all the same
    expect((await rung(f, 4, 0.25)).proceeds).toBe(false);
    expect((await rung(f, 4, 0.1)).userErrors).toMatchObject([{ code: 'STALE_ATTEMPT' }]);
    await finish(a, 0.45);
    const { trials, bestRun, search: stored } = await experimentOf(experimentId);
    expect(stored.halving).toEqual({ reductionFactor: 2, rungs: [2, 4] });
    expect(bestRun).toMatchObject({ trial: 3, score: 0.2 });
    const states = trials.nodes.map(({ run }: (typeof trials.nodes)[0]) => [run.status, run.errorCode]);
    const stopped = ['CANCELED', 'STOPPED_EARLY'];
    const done = ['SUCCEEDED', null];
    expect(states).toEqual([done, stopped, done, ['RUNNING', null], stopped, stopped]);
    expect(trials.nodes[4].run.error).toMatch(/After 2 epochs its LOG_LOSS on validation was 0.7, .* 5 trials/);
    const ranks = trials.nodes.map(({ rank }: { rank: number }) => rank);
    expect(ranks).toEqual([3, 5, 1, 4, 6, 2]);
  });

  it('answers a repeated report as before, and one that no rung has with an error', async () => {
    await begin('again');
    const [a, b] = [await claimed(), await claimed()];
    expect((await rung(a, 2, 0.5)).proceeds).toBe(true);
    expect((await rung(b, 2, 0.4)).proceeds).toBe(true);
    await expireLeases(api);
    const resumed = await claimed();
    expect(resumed).toMatchObject({ runId: a.runId, attempt: 2 });
    expect((await rung(resumed, 2, 0.5)).proceeds).toBe(true);
    expect((await rung(resumed, 3, 0.5)).userErrors).toMatchObject([{ code: 'INVALID_INPUT', field: ['epoch'] }]);
  });

  it('is overruled by a retry', async () => {
    await begin('overruled');
    const [a, b] = [await claimed(), await claimed()];
    await rung(a, 2, 0.1);
    expect((await rung(b, 2, 0.2)).proceeds).toBe(false);
    const { run } = await mutate(api, 'retryRun', 'run { status error score }', { runId: b.runId });
    expect(run).toEqual({ status: 'QUEUED', error: null, score: null });
    for (;;) {
      const next = await claimed();
      if (next.runId !== b.runId) continue;
      expect((await rung(next, 2, 0.2)).proceeds).toBe(true);
      return;
    }
  });

  it('answers reports that come at once, equal ones equally', async () => {
    await begin('at-once');
    const runs: TestClaim[] = [];
    for (let i = 0; i < 6; i++) runs.push(await claimed());
    const answers = await Promise.all(runs.map((run) => rung(run, 2, 0.5))); // equal: all are first
    expect(answers.map(({ proceeds }) => proceeds)).toEqual([true, true, true, true, true, true]);
    const rows = await api.deps.prisma.rung.count({ where: { run: { experiment: { model: { name: 'at-once' } } } } });
    expect(rows).toBe(6);
  });
});
