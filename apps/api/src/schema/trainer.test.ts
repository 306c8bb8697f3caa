/** What trainers rely on: one claim per run, fenced writes, runs of the dead taken over. Clocks are moved. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../../../test/testkit/api.ts';
import { ask, claim, commit, complete, completion, expireLeases, mutate, type TestClaim, upload } from './testing.ts';

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

const STALE = [expect.objectContaining({ code: 'STALE_ATTEMPT' })];
const trainer = (name: string, input: object, fields = '__typename') =>
  mutate(api, name, fields, input, api.keys.trainer);
const statusOf = async (id: string) => {
  const fields = 'status attempt progress error errorCode metrics { name points { step value } }';
  return (await api.execute(`query ($id: ID!) { run(id: $id) { ${fields} } }`, { id })).data.run;
};
async function claimed(more: object = {}): Promise<TestClaim> {
  const found = await claim(api, more);
  if (!found) throw new Error('nothing to claim');
  return found;
}

describe('claimRun', () => {
  it('gives each of 200 runs to one of 8 trainers', async () => {
    const { runId } = await ask(api, version);
    const one = await api.deps.prisma.run.findFirstOrThrow({ where: { status: 'QUEUED' } });
    const { projectId, experimentId, seed, specDigest } = one;
    const copy = { projectId, experimentId, seed, specDigest, spec: one.spec ?? {} };
    await api.deps.prisma.run.createMany({ data: Array.from({ length: 199 }, () => copy) });
    const ids: string[] = [];
    const work = async () => {
      for (let found = await claim(api); found; found = await claim(api)) ids.push(found.runId);
    };
    await Promise.all(Array.from({ length: 8 }, work));
    expect(ids).toContain(runId);
    expect(ids).toHaveLength(200);
    expect(new Set(ids).size).toBe(200);
  });

  it('waits for a run that is queued later', async () => {
    const waiting = claim(api, { waitSeconds: 20 });
    const { runId } = await ask(api, version);
    expect(await waiting).toMatchObject({ runId, attempt: 1, checkpoint: null });
    expect(await claim(api, { waitSeconds: 0 })).toBeNull();
  });

  it('gives runs only to trainers with the engine', async () => {
    await ask(api, version, { engine: 'ORT_CPU' });
    expect(await claim(api, { engines: ['OTHER'] })).toBeNull();
    expect(await claim(api, { engines: ['OTHER', 'ORT_CPU'] })).not.toBeNull();
    await ask(api, version, { engine: 'AUTO' });
    expect(await claim(api, { engines: ['OTHER'] })).not.toBeNull();
  });

  it('leaves word of what a queued run waits for', async () => {
    const offered = ['ORT_CPU', 'ORT_WASM'];
    await claim(api, { engines: offered });
    const waiting = async (runId: string) =>
      (await api.execute('query ($id: ID!) { run(id: $id) { waitingFor } }', { id: runId })).data.run.waitingFor;
    const cuda = await ask(api, version, { engine: 'ORT_CUDA' });
    expect(await waiting(cuda.runId)).toBe(
      'No trainer that offers ORT_CUDA has asked for work; offered are ORT_CPU, ORT_WASM. ' +
        'Start one, or ask for another engine.',
    );
    const cpu = await ask(api, version, { engine: 'ORT_CPU' });
    expect(await waiting(cpu.runId)).toBeNull(); // one that can take it asks
    expect(await claim(api, { engines: offered })).toMatchObject({ runId: cpu.runId });
    expect(await claim(api, { engines: ['ORT_CUDA'] })).toMatchObject({ runId: cuda.runId });
    expect(await waiting(cuda.runId)).toBeNull(); // it is taken
  });

  it('does not take a run for a trainer that has gone away', async () => {
    const gone = new AbortController();
    const document = 'mutation ($input: ClaimRunInput!) { claimRun(input: $input) { claim { runId } } }';
    const waiting = fetch(`${api.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${api.keys.trainer}` },
      body: JSON.stringify({
        query: document,
        variables: { input: { worker: 'gone', engines: ['ORT_CPU'], waitSeconds: 20 } },
      }),
      signal: gone.signal,
    });
    expect(await claim(api)).toBeNull(); // a round trip later the other is waiting
    gone.abort();
    await expect(waiting).rejects.toThrow();
    expect(await claim(api)).toBeNull();
    const { runId } = await ask(api, version);
    expect(await claim(api)).toMatchObject({ runId, attempt: 1 });
  });
});

describe('an attempt', () => {
  it('is refused everywhere once another one has begun', async () => {
    const { runId } = await ask(api, version);
    const first = await claimed();
    const late = await completion(api, first);
    await expireLeases(api);
    const second = await claimed({ worker: 'second' });
    expect(second).toMatchObject({ runId, attempt: 2 });
    const old = { runId, attempt: 1 };
    const uploadToken = await upload(api, 'state', { runId }, api.keys.trainer);
    const points = [{ name: 'train/loss', step: 1, value: 1 }];
    expect((await trainer('heartbeatRun', old)).userErrors).toEqual(STALE);
    expect((await trainer('reportMetrics', { ...old, points })).userErrors).toEqual(STALE);
    expect((await trainer('saveCheckpoint', { ...old, step: 1, uploadToken })).userErrors).toEqual(STALE);
    expect((await trainer('failRun', { ...old, code: 'DIVERGED', message: '' })).userErrors).toEqual(STALE);
    expect((await complete(api, late)).userErrors).toEqual(STALE);
    expect(await statusOf(runId)).toMatchObject({ status: 'RUNNING', attempt: 2, metrics: [] });
    expect(await complete(api, await completion(api, second))).toMatchObject({ userErrors: [] });
    expect((await complete(api, late)).userErrors).toEqual(STALE);
    expect(await api.deps.prisma.modelVersion.count()).toBe(1);
  });

  it('starts over without old metrics, or goes on from the newest checkpoint with them', async () => {
    const { runId } = await ask(api, version);
    const report = async (attempt: number, step: number) =>
      await trainer('reportMetrics', {
        runId,
        attempt,
        points: [
          { name: 'train/loss', step, value: 9 },
          { name: 'train/loss', step, value: 1 / step },
        ],
        progress: 0.5,
      });
    await claimed();
    await report(1, 1);
    await report(1, 1);
    expect(await statusOf(runId)).toMatchObject({
      progress: 0.5,
      metrics: [{ name: 'train/loss', points: [{ step: 1, value: 1 }] }],
    });
    await expireLeases(api);
    expect(await claimed()).toMatchObject({ attempt: 2, checkpoint: null });
    expect(await statusOf(runId)).toMatchObject({ progress: 0, metrics: [] });
    await report(2, 2);
    for (const step of [1, 2, 3]) {
      const uploadToken = await upload(api, `state ${step}`, { runId }, api.keys.trainer);
      const saved = await trainer('saveCheckpoint', { runId, attempt: 2, step, uploadToken });
      expect(saved.userErrors).toEqual([]);
    }
    expect(await api.deps.prisma.checkpoint.count()).toBe(2);
    await expireLeases(api);
    const third = await claimed();
    expect(third).toMatchObject({ attempt: 3, checkpoint: { step: 3 } });
    expect(await (await fetch(third.checkpoint?.url ?? '')).text()).toBe('state 3');
    expect((await statusOf(runId)).metrics).toHaveLength(1);
  });

  it('fails the run when the last one went silent, and a retry counts on', async () => {
    const { runId } = await ask(api, version);
    for (const attempt of [1, 2, 3]) {
      expect(await claimed()).toMatchObject({ attempt });
      await expireLeases(api);
    }
    expect(await claim(api)).toBeNull();
    expect(await statusOf(runId)).toMatchObject({ status: 'FAILED', attempt: 3, errorCode: 'LEASE_EXPIRED' });
    expect((await mutate(api, 'retryRun', 'run { status }', { runId })).run).toEqual({ status: 'QUEUED' });
    expect(await claimed()).toMatchObject({ attempt: 4 });
    await expireLeases(api);
    expect(await claimed()).toMatchObject({ attempt: 5 });
  });

  it('keeps its lease by heartbeats and hears of a cancel', async () => {
    const { runId } = await ask(api, version);
    await claimed();
    await expireLeases(api);
    const beat = () => trainer('heartbeatRun', { runId, attempt: 1, progress: 0.25 }, 'ok cancelRequested');
    expect(await beat()).toEqual({ ok: true, cancelRequested: false, userErrors: [] });
    expect(await claim(api)).toBeNull();
    const canceled = await mutate(api, 'cancelRun', 'run { status cancelRequestedAt }', { runId });
    expect(canceled.run).toMatchObject({ status: 'RUNNING', cancelRequestedAt: expect.any(String) });
    expect(await beat()).toMatchObject({ cancelRequested: true });
    const end = { runId, attempt: 1, code: 'CANCELED', message: '' };
    for (const _ of [1, 2])
      expect((await trainer('failRun', end, 'run { status }')).run).toEqual({ status: 'CANCELED' });
    expect(await statusOf(runId)).toMatchObject({ status: 'CANCELED', error: null });
  });

  it('ends as CANCELED when its trainer died before it heard of the cancel', async () => {
    const { runId } = await ask(api, version);
    await claimed();
    await mutate(api, 'cancelRun', '__typename', { runId });
    await expireLeases(api);
    expect(await claim(api)).toBeNull();
    expect(await statusOf(runId)).toMatchObject({ status: 'CANCELED', error: null });
  });

  it('refuses what no metric can be', async () => {
    const { runId } = await ask(api, version);
    await claimed();
    const document = 'mutation ($input: ReportMetricsInput!) { reportMetrics(input: $input) { ok } }';
    const input = (value: unknown) => ({ runId, attempt: 1, points: [{ name: 'loss', step: 1, value }] });
    for (const value of [null, 'NaN', '1'])
      expect((await api.execute(document, { input: input(value) }, api.keys.trainer)).errors).toHaveLength(1);
    const huge = { runId, attempt: 1, points: [], progress: 1.5 };
    expect((await trainer('reportMetrics', huge)).userErrors).toMatchObject([{ code: 'INVALID_INPUT' }]);
  });
});

describe('cancelRun and retryRun', () => {
  it('end a queued run at once, and refuse runs in the wrong state', async () => {
    const { runId } = await ask(api, version);
    const codes = async (name: string) =>
      (await mutate(api, name, '__typename', { runId })).userErrors.map(({ code }: { code: string }) => code);
    expect(await codes('retryRun')).toEqual(['RUN_NOT_ENDED']);
    expect(await codes('cancelRun')).toEqual([]);
    expect(await codes('cancelRun')).toEqual([]);
    expect(await statusOf(runId)).toMatchObject({ status: 'CANCELED' });
    expect(await claim(api)).toBeNull();
    expect(await codes('retryRun')).toEqual([]);
    await trainer('failRun', { runId, attempt: (await claimed()).attempt, code: 'DIVERGED', message: 'loss is NaN' });
    expect(await statusOf(runId)).toMatchObject({
      status: 'FAILED',
      errorCode: 'DIVERGED',
      error: 'DIVERGED: loss is NaN',
    });
    expect(await codes('cancelRun')).toEqual(['RUN_ENDED']);
  });
});
