/**
 * Runs that survive, through the whole stack: the same spec gives the same bytes, killed and resumed or not; a cancel
 * ends a run in order; a run that cannot go on says why.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { denseModel } from '../apps/edge/test/models.ts';
import { commit, createDataset, createExperiment, graphql, upload } from '../examples/client.ts';
import { simulated } from '../examples/quickstart-data.ts';
import { processesOf } from './testkit/processes.ts';
import { type Stack, startStack } from './testkit/stack.ts';

interface RunState {
  status: 'QUEUED' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELED';
  attempt: number;
  error: string | null;
  errorCode: string | null;
  score: number | null;
  specDigest: string;
  startedAt: string | null;
  cancelRequestedAt: string | null;
  finishedAt: string | null;
  checkpoints: { step: number; attempt: number }[];
  metrics: { name: string; points: { step: number; value: number }[] }[];
  modelVersion: { artifact: { digest: string } } | null;
}
const STATE = `query ($id: ID!) { run(id: $id) {
  status attempt error errorCode score specDigest startedAt cancelRequestedAt finishedAt checkpoints { step attempt }
  metrics(points: 2000) { name points { step value } } modelVersion { artifact { digest } } } }`;
const CANCEL = 'mutation ($input: CancelRunInput!) { cancelRun(input: $input) { run { status } userErrors { code } } }';

describe('runs that survive', () => {
  let stack: Stack;
  let datasetVersionId: string;
  beforeAll(async () => {
    stack = await startStack({ env: { CHECKPOINT_SECONDS: '0' } });
    datasetVersionId = await versionOf(simulated(4000, 3), 'class');
  });
  afterAll(async () => await stack.stop());

  async function versionOf(csv: Uint8Array<ArrayBuffer>, target: string): Promise<string> {
    const to = stack.connection;
    const datasetId = await createDataset(to, 'survivors');
    const uploadTokens = [await upload(to, 'train.csv', csv)];
    return (await commit(to, { datasetId, uploadTokens, format: 'CSV', target })).id;
  }
  const begin = (more: object) => createExperiment(stack.connection, { name: 'survivors', datasetVersionId, ...more });
  /** The run as soon as the condition holds; the test's own time limit is the only one. */
  async function until(id: string, holds: (run: RunState) => boolean): Promise<RunState> {
    for (;;) {
      const { run } = await graphql<{ run: RunState }>(stack.connection, STATE, { id });
      if (holds(run)) return run;
      if (['SUCCEEDED', 'FAILED', 'CANCELED'].includes(run.status))
        throw new Error(`the run ended too early: ${JSON.stringify({ ...run, metrics: [] })}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  const ended = (id: string) => until(id, ({ status }) => status !== 'QUEUED' && status !== 'RUNNING');
  /** The trainer and the job that it runs, as a machine that loses power would take them. */
  const killTrainer = () => {
    for (const { pid, command } of processesOf(stack.home))
      if (command.includes('apps/trainer/src')) process.kill(pid, 'SIGKILL');
  };

  it('an import whose trainer is killed is done by the next one, and once', async () => {
    const file = new Uint8Array(denseModel(2_000)); // 16 MB: enough to be caught at
    const begin = async (modelName: string) => {
      const uploadToken = await upload(stack.connection, 'dense.onnx', file);
      const input = { modelName, uploadToken, waitSeconds: 0 };
      const { importModelVersion } = await graphql<{ importModelVersion: { run: { id: string } } }>(
        stack.connection,
        'mutation ($input: ImportModelVersionInput!) { importModelVersion(input: $input) { run { id } } }',
        { input },
      );
      return importModelVersion.run.id;
    };
    const torn = await begin('torn');
    await until(torn, ({ status }) => status === 'RUNNING');
    killTrainer();
    const [taken, whole] = [await ended(torn), await ended(await begin('whole'))];
    expect([taken, whole]).toMatchObject([
      { status: 'SUCCEEDED', error: null, attempt: 2 },
      { status: 'SUCCEEDED', error: null, attempt: 1 },
    ]);
    expect(taken.modelVersion?.artifact.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(taken.modelVersion).toEqual(whole.modelVersion);
    const { model } = await graphql<{ model: { versions: { totalCount: number } } }>(
      stack.connection,
      '{ model(name: "torn") { versions(first: 1) { totalCount } } }',
    );
    expect(model.versions.totalCount).toBe(1);
  });

  it('a run killed after a checkpoint and resumed has the bytes of one that was never touched', async () => {
    const spec = { hyperparameters: { batchSize: 16 }, budget: { maxEpochs: 60, patience: null }, seed: 4 };
    const whole = await ended(await begin(spec));
    const again = await ended(await begin(spec));
    const torn = await begin(spec);
    const { checkpoints } = await until(torn, (run) => run.checkpoints.length > 0);
    killTrainer();
    const resumed = await ended(torn);
    expect([whole.attempt, again.attempt, resumed.attempt]).toEqual([1, 1, 2]);
    const digests = [whole, again, resumed].map(({ modelVersion }) => modelVersion?.artifact.digest);
    expect(digests[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(digests).toEqual([digests[0], digests[0], digests[0]]);
    expect(new Set([whole.specDigest, again.specDigest, resumed.specDigest]).size).toBe(1);
    expect(resumed.score).toBe(whole.score);
    expect(resumed.metrics).toEqual(whole.metrics); // none lost, none twice, none other
    const log = readFileSync(path.join(stack.home, 'logs/trainer.log'), 'utf8');
    const [, step = '0'] = /"message":"resuming from a checkpoint".*"step":(\d+)/.exec(log) ?? [];
    expect(Number(step)).toBeGreaterThanOrEqual(checkpoints[0]?.step ?? Number.POSITIVE_INFINITY);
  }, 120_000);

  it('another seed gives other bytes', async () => {
    const budget = { maxEpochs: 2, patience: null };
    const [one, two] = [await ended(await begin({ budget, seed: 1 })), await ended(await begin({ budget, seed: 2 }))];
    expect(one.modelVersion?.artifact.digest).not.toBe(two.modelVersion?.artifact.digest);
  }, 60_000);

  it('a cancel of a running run is asked for, heard, and ends it', async () => {
    const run = await begin({ budget: { maxEpochs: 100_000, patience: null } });
    await until(run, ({ metrics }) => metrics.length > 0);
    const asked = performance.now();
    await graphql(stack.connection, CANCEL, { input: { runId: run } });
    const state = await ended(run);
    console.log(`cancel took effect after ${Math.round(performance.now() - asked)} ms`);
    expect(state).toMatchObject({ status: 'CANCELED', error: null, modelVersion: null });
    const times = [state.startedAt, state.cancelRequestedAt, state.finishedAt].map((time) => Date.parse(String(time)));
    expect(times.every(Number.isFinite)).toBe(true);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    const next = await ended(await begin({ budget: { maxEpochs: 1 } })); // the trainer is free again
    expect(next.status).toBe('SUCCEEDED');
  }, 60_000);

  it('a loss that is no number ends the run with step, last finite loss and advice', async () => {
    const rows = Array.from({ length: 200 }, (_, i) => `${i / 7},${i / 3 + (i % 5)}`);
    const line = await versionOf(new TextEncoder().encode(['x,y', ...rows].join('\n')), 'y');
    const hyperparameters = { optimizer: 'SGD', learningRate: 100 }; // each step overshoots a hundredfold
    const run = await begin({ datasetVersionId: line, hyperparameters, architecture: { mlp: { hidden: [] } } });
    const state = await ended(run);
    expect(state).toMatchObject({ status: 'FAILED', errorCode: 'DIVERGED' });
    expect(state.error).toMatch(/at step \d+\. The last finite loss was [\d.e+]+\. Lower the learning rate/);
  }, 60_000);

  it('a budget of steps ends the run in the middle of an epoch', async () => {
    const state = await ended(await begin({ hyperparameters: { batchSize: 100 }, budget: { maxSteps: 40 } }));
    expect(state.status).toBe('SUCCEEDED');
    const steps = state.metrics.find(({ name }) => name === 'train_loss')?.points.map(({ step }) => step);
    expect(steps).toEqual([28, 40]); // 2,800 training rows
  }, 60_000);
});
