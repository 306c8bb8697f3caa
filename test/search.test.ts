/** Searches through the whole stack, with two trainers: trials are spread over them, each run exactly once. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commit, createDataset, graphql, upload } from '../examples/client.ts';
import { sharedPath } from './shared.ts';
import { type Stack, startStack } from './testkit/stack.ts';

const ROOT = path.resolve(import.meta.dirname, '..');

/** A data set with a class to predict: the published one where it is at hand, else the one of the examples. */
const titanic = sharedPath('data/titanic/titanic.csv');
const DATA = titanic
  ? { file: titanic, target: 'Survived', split: { testEvery: 5 }, better: 0.6 }
  : { file: path.join(ROOT, 'examples/churn.csv'), target: 'churned', split: undefined, better: 0.69 };

interface Trial {
  number: number;
  params: Record<string, unknown>;
  score: number | null;
  rank: number | null;
  run: {
    id: string;
    status: string;
    attempt: number;
    trainer: string | null;
    seed: number;
    errorCode: string | null;
    spec: {
      loss: string;
      optimizer: { kind: string; learningRate: number };
      architecture: { mlp: { hidden: number[] } };
      batchSize: number;
    };
    modelVersion: { number: number; artifact: { digest: string }; evaluation: { accuracy: { value: number } } } | null;
  };
}
interface Experiment {
  id: string;
  bestRun: { id: string; score: number } | null;
  trials: { totalCount: number; nodes: Trial[] };
}
const CREATE = `mutation ($input: CreateExperimentInput!) {
  createExperiment(input: $input) { experiment { id } userErrors { code field message } } }`;
const READ = `query ($id: ID!) { experiment(id: $id) { id bestRun { id score } trials(first: 50) { totalCount nodes {
  number params score rank run { id status attempt trainer seed errorCode spec
    modelVersion { number artifact { digest } evaluation(source: HOLDOUT) { accuracy { value } } } } } } } }`;

describe('a search', () => {
  let stack: Stack;
  let second: ChildProcess;
  let datasetVersionId: string;
  beforeAll(async () => {
    stack = await startStack();
    second = await startTrainer('second');
    const to = stack.connection;
    const token = await upload(to, path.basename(DATA.file), new Uint8Array(readFileSync(DATA.file)));
    const datasetId = await createDataset(to, 'passengers');
    const { target, split } = DATA;
    ({ id: datasetVersionId } = await commit(to, { datasetId, uploadTokens: [token], format: 'CSV', target, split }));
  });
  afterAll(async () => {
    const gone = once(second, 'close');
    second.kill('SIGTERM');
    await gone;
    await stack.stop();
  });

  /** As a second machine would: with the installation's trainer key and the API's URL, and nothing else. */
  async function startTrainer(name: string): Promise<ChildProcess> {
    const { trainerKey } = JSON.parse(readFileSync(path.join(stack.home, 'secrets.json'), 'utf8'));
    const trainer = spawn(process.execPath, [path.join(ROOT, 'apps/trainer/src/main.ts')], {
      env: { API_URL: stack.api, TRAINER_KEY: trainerKey, TRAINER_NAME: name, LOG_LEVEL: 'error' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(trainer, 'spawn');
    if (trainer.stdout) await once(trainer.stdout, 'data'); // its ready line
    return trainer;
  }

  /** The experiment when all of its trials have ended; the test's own time limit is the only one. */
  async function finished(search: object, more: object): Promise<Experiment> {
    const input = { name: 'passengers', datasetVersionId, search, ...more };
    const made = await graphql<{ createExperiment: { experiment: { id: string } } }>(stack.connection, CREATE, {
      input,
    });
    const { id } = made.createExperiment.experiment;
    for (;;) {
      const { experiment } = await graphql<{ experiment: Experiment }>(stack.connection, READ, { id });
      const open = experiment.trials.nodes.filter(({ run }) => run.status === 'QUEUED' || run.status === 'RUNNING');
      if (open.length === 0) return experiment;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  it('draws 12 trials at random, and two trainers run each exactly once', async () => {
    const search = {
      method: 'RANDOM',
      trials: 12,
      seed: 1,
      parameters: [
        { name: 'hyperparameters.learningRate', min: 1e-4, max: 1e-1, scale: 'LOG' },
        { name: 'architecture.mlp.hidden', values: [[], [16], [64], [64, 32]] },
        { name: 'hyperparameters.batchSize', values: [16, 32, 64] },
      ],
    };
    const { bestRun, trials } = await finished(search, { modelName: 'random', budget: { maxEpochs: 40 } });
    expect(trials.totalCount).toBe(12);
    const runs = trials.nodes.map(({ run }) => run);
    expect(runs.map(({ status, attempt }) => [status, attempt])).toEqual(runs.map(() => ['SUCCEEDED', 1]));
    expect(new Set(runs.map(({ trainer }) => trainer)).size).toBe(2);
    const versions = runs.map((run) => run.modelVersion?.number ?? 0);
    expect(versions.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    for (const { number, params, run } of trials.nodes) {
      const { optimizer, architecture, batchSize } = run.spec;
      expect(params).toEqual({
        'hyperparameters.learningRate': optimizer.learningRate,
        'architecture.mlp.hidden': architecture.mlp.hidden,
        'hyperparameters.batchSize': batchSize,
      });
      expect(run.seed).toBe(number - 1);
    }
    const scores = trials.nodes.map(({ score }) => score ?? Number.NaN);
    const best = trials.nodes.find(({ rank }) => rank === 1);
    expect(bestRun).toEqual({ id: best?.run.id, score: Math.min(...scores) });
    expect(Math.min(...scores)).toBeLessThan(DATA.better); // LOG_LOSS: a coin has 0.693
    expect(trials.nodes.map(({ rank }) => rank).toSorted((a, b) => Number(a) - Number(b))).toEqual(
      runs.map((_, i) => i + 1),
    );
  }, 180_000);

  it('tries optimizers and losses in a grid, and each trains what it says', async () => {
    const optimizers = ['SGD', 'ADAM', 'ADAMW', 'LION'];
    const search = {
      method: 'GRID',
      parameters: [
        { name: 'hyperparameters.optimizer', values: optimizers },
        { name: 'loss.kind', values: ['BCE_WITH_LOGITS', 'FOCAL'] },
      ],
    };
    const schedule = { warmupSteps: 10, decay: 'COSINE', floor: 0.1 };
    const hyperparameters = { schedule, clipNorm: 1, accumulate: 2, ema: 0.9, learningRate: 0.01 };
    const more = { hyperparameters, modelName: 'grid', budget: { maxEpochs: 10, patience: null } };
    const { trials } = await finished(search, more);
    const seen = trials.nodes.map(({ run: { status, spec } }) => [status, spec.optimizer.kind, spec.loss]);
    expect(seen).toEqual(
      optimizers.flatMap((kind) => ['BCE_WITH_LOGITS', 'FOCAL'].map((loss) => ['SUCCEEDED', kind, loss])),
    );
    for (const { run, score } of trials.nodes) {
      expect(run.spec).toMatchObject({ schedule: { warmupSteps: 10 }, clipNorm: 1, accumulate: 2, ema: 0.9 });
      expect(score).toBeLessThan(0.69); // better than a coin
    }
    const artifacts = new Set(trials.nodes.map(({ run }) => run.modelVersion?.artifact.digest));
    expect(artifacts.size).toBe(8);
  }, 180_000);

  it('halves: bad trials end early without a version, the best one with one', async () => {
    const search = {
      method: 'ASHA',
      trials: 9,
      seed: 2,
      minEpochs: 3,
      reductionFactor: 3,
      parameters: [{ name: 'hyperparameters.learningRate', min: 1e-6, max: 1e-2, scale: 'LOG' }],
    };
    const budget = { maxEpochs: 27, patience: null };
    const { bestRun, trials } = await finished(search, { modelName: 'halved', budget });
    const ended = (status: string) => trials.nodes.filter(({ run }) => run.status === status);
    const [done, stopped] = [ended('SUCCEEDED'), ended('CANCELED')];
    expect(done.length + stopped.length).toBe(9);
    expect(stopped.length).toBeGreaterThan(0);
    expect(stopped.map(({ run }) => [run.errorCode, run.modelVersion])).toEqual(
      stopped.map(() => ['STOPPED_EARLY', null]),
    );
    expect(done.every(({ run }) => run.modelVersion !== null)).toBe(true);
    expect(trials.nodes.find(({ rank }) => rank === 1)?.run.id).toBe(bestRun?.id);
  }, 120_000);
});
