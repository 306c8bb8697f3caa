/**
 * Kill -9 of the trainer in the middle of a run: the run goes on with attempt 2, one version comes out, late writes
 * fail.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commit, createDataset, createExperiment, finished, graphql, type Run, upload } from '../examples/client.ts';
import { simulated } from '../examples/quickstart-data.ts';
import { processesOf } from './testkit/processes.ts';
import { type Stack, startStack } from './testkit/stack.ts';

/** Pids of the stack's trainer: the parent and the child of a run. */
const trainers = (home: string) =>
  processesOf(home).flatMap(({ pid, command }) => (command.includes('apps/trainer/src') ? [pid] : []));

const LATE = `mutation ($input: FailRunInput!) { failRun(input: $input) { userErrors { code } } }`;

describe('faults', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack();
  });
  afterAll(async () => await stack.stop());

  it('a run outlives its trainer', async () => {
    const to = stack.connection;
    const token = await upload(to, 'train.csv', simulated(4000, 3));
    const datasetId = await createDataset(to, 'survivor');
    const { id: datasetVersionId } = await commit(to, {
      datasetId,
      uploadTokens: [token],
      format: 'CSV',
      target: 'class',
    });
    const run = await createExperiment(to, {
      name: 'survivor',
      modelName: 'survivor',
      datasetVersionId,
      hyperparameters: { batchSize: 16 },
      budget: { maxEpochs: 150, patience: null }, // some seconds
    });
    let killedAt = 0;
    let claimedAgain = 0;
    const watch = ({ status, progress, attempt }: Run) => {
      if (!killedAt && status === 'RUNNING' && progress > 0) {
        for (const pid of trainers(stack.home)) process.kill(pid, 'SIGKILL');
        killedAt = Date.now();
      }
      if (killedAt && !claimedAgain && attempt === 2) claimedAgain = Date.now();
    };
    const version = await finished(to, run, watch);
    expect(claimedAgain - killedAt).toBeLessThanOrEqual(12_000);
    expect(version.number).toBe(1);
    const { run: ended } = await graphql<{ run: Run }>(to, 'query ($id: ID!) { run(id: $id) { status attempt } }', {
      id: run,
    });
    expect(ended).toMatchObject({ status: 'SUCCEEDED', attempt: 2 });

    const { trainerKey } = JSON.parse(readFileSync(path.join(stack.home, 'secrets.json'), 'utf8'));
    const input = { runId: run, attempt: 1, code: 'LATE', message: 'from the dead' };
    await expect(graphql({ ...to, key: trainerKey }, LATE, { input })).rejects.toThrow(/STALE_ATTEMPT/);
    const { model } = await graphql<{ model: { versions: { totalCount: number } } }>(
      to,
      '{ model(name: "survivor") { versions { totalCount } } }',
    );
    expect(model.versions.totalCount).toBe(1);
  }, 120_000);
});
