/** From an upload to a model version through the public operations; what trainers compute is made up. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../../../test/testkit/api.ts';
import { ask, CSV, claim, commit, complete, completion, mutate, upload } from './testing.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.close());

const codes = (payload: { userErrors: { code: string }[] }) => payload.userErrors.map(({ code }) => code);

describe('stageUpload and commitDatasetVersion', () => {
  it('makes an immutable version with columns, split and findings', async () => {
    const id = await commit(api);
    const { data } = await api.execute(
      `query ($id: ID!) { node(id: $id) { ... on DatasetVersion { number rowCount target task tasks classes
         digest byteLength missingValues createdAt dataset { name }
         columns { name kind role inferred reason values { from to } profile { count missing distinct min max mean std
           top { value count } } }
         balance { label count } split { spec digest train validation test }
         findings { code severity message column count }
         sources { filename digest byteLength } } } }`,
      { id },
    );
    expect(data.node).toMatchObject({
      number: 1,
      rowCount: 40,
      target: 'kind',
      task: 'BINARY',
      tasks: ['BINARY'],
      classes: ['large', 'small'],
      dataset: { name: 'boxes' },
    });
    expect(
      data.node.columns.map((c: { name: string; kind: string; role: string }) => [c.name, c.kind, c.role]),
    ).toEqual([
      ['width', 'NUMERIC', 'FEATURE'],
      ['color', 'CATEGORICAL', 'FEATURE'],
      ['kind', 'CATEGORICAL', 'TARGET'],
    ]);
    const { train, validation, test } = data.node.split;
    expect(train + validation + test).toBe(40);
  });

  it('answers with the same version when the same content is committed again', async () => {
    const { dataset } = await mutate(api, 'createDataset', 'dataset { id }', { name: 'twice' });
    const input = { datasetId: dataset.id, format: 'CSV', target: 'kind' };
    const versions = [];
    for (const more of [{}, {}, { columns: [{ name: 'color', kind: 'IGNORE' }] }, { split: { seed: 1 } }]) {
      const uploadTokens = [await upload(api, CSV)];
      const commitInput = { ...input, uploadTokens, ...more };
      versions.push(
        (await mutate(api, 'commitDatasetVersion', 'datasetVersion { id number }', commitInput)).datasetVersion,
      );
    }
    expect(versions.map(({ number }) => number)).toEqual([1, 1, 2, 3]);
    expect(versions[0].id).toBe(versions[1].id);
  });

  it('says what is wrong with data and input in userErrors', async () => {
    const { dataset } = await mutate(api, 'createDataset', 'dataset { id }', { name: 'wrong' });
    const input = { datasetId: dataset.id, format: 'CSV', target: 'kind', uploadTokens: [await upload(api, CSV)] };
    const tried = async (more: object) =>
      codes(await mutate(api, 'commitDatasetVersion', 'datasetVersion { id }', { ...input, ...more }));
    expect(await tried({ target: 'kindd' })).toEqual(['TARGET_NOT_FOUND']);
    expect(await tried({ datasetId: input.uploadTokens[0] })).toEqual(['NOT_FOUND']);
    expect(await tried({ uploadTokens: [dataset.id] })).toEqual(['NOT_FOUND']);
    expect(await tried({ uploadTokens: [] })).toEqual(['INVALID_INPUT']);
    expect(await tried({ split: { testEvery: 5, column: 'color' } })).not.toEqual([]);
    const staged = await mutate(api, 'stageUpload', 'upload { token }', { filename: 'x', byteLength: 3 });
    expect(await tried({ uploadTokens: [staged.upload.token] })).toEqual(['UPLOAD_INCOMPLETE']);
    expect(codes(await mutate(api, 'stageUpload', 'upload { token }', { filename: 'x', byteLength: 0 }))).toEqual([
      'INVALID_INPUT',
    ]);
    const tooLarge = { filename: 'x', byteLength: 2 ** 31 + 1 };
    expect(codes(await mutate(api, 'stageUpload', 'upload { token }', tooLarge))).toEqual(['INVALID_INPUT']);
  });
});

describe('createExperiment', () => {
  it('fills in a complete spec and refuses what does not fit', async () => {
    const version = await commit(api);
    const { runId } = await ask(api, version, { modelName: 'spec_test', seed: 3 });
    const { data } = await api.execute(
      'query ($id: ID!) { run(id: $id) { status attempt progress seed spec error modelVersion { id } } }',
      { id: runId },
    );
    expect(data.run).toMatchObject({ status: 'QUEUED', attempt: 0, progress: 0, seed: 3, error: null });
    expect(data.run.spec).toMatchObject({ task: 'BINARY', loss: 'BCE_WITH_LOGITS', positiveClass: 'small', seed: 3 });
    const tried = async (more: object) =>
      codes(
        await mutate(api, 'createExperiment', 'experiment { id }', { name: 'x', datasetVersionId: version, ...more }),
      );
    expect(await tried({ target: 'color' })).toEqual(['TARGET_DIFFERS']);
    expect(await tried({ task: 'REGRESSION' })).toEqual(['TASK_MISMATCH']);
    expect(await tried({ objective: 'RMSE' })).toEqual(['OBJECTIVE_MISMATCH']);
    expect(await tried({ positiveClass: 'huge' })).toEqual(['UNKNOWN_CLASS']);
    expect(await tried({ architecture: { mlp: { hidden: [4096, 4096] } } })).toEqual(['MODEL_TOO_LARGE']);
    expect(await tried({ architecture: { mlp: { hidden: [0] } } })).toEqual(['INVALID_INPUT']);
    expect(await tried({ architecture: { resnet: {} } })).toEqual(['ARCHITECTURE_MISMATCH']);
    expect(await tried({ modelName: 'no spaces' })).toEqual(['INVALID_INPUT']);
    expect(await tried({ datasetVersionId: runId })).toEqual(['NOT_FOUND']);
  });

  it('says how large a network is before it is trained, and takes exactly one', async () => {
    const version = await commit(api);
    const { runId } = await ask(api, version, { modelName: 'sizes', architecture: { mlp: { hidden: [7] } } });
    const { data } = await api.execute('query ($id: ID!) { run(id: $id) { spec parameterCount flops } }', {
      id: runId,
    });
    const { spec, parameterCount, flops } = data.run;
    expect(spec.architecture).toEqual({ mlp: { hidden: [7] } });
    const inputs = (parameterCount - 8) / 7 - 1; // (inputs + 1) x 7 + (7 + 1) x 1
    expect(Number.isInteger(inputs)).toBe(true);
    expect(flops).toBe(2 * (7 * inputs + 7));
    const { errors } = await api.execute(
      'mutation ($input: CreateExperimentInput!) { createExperiment(input: $input) { userErrors { code } } }',
      { input: { name: 'both', datasetVersionId: version, architecture: { mlp: {}, cnn: {} } } },
    );
    expect(JSON.stringify(errors)).toContain('ArchitectureInput');
  });

  it('creates once per idempotency key', async () => {
    const version = await commit(api);
    const input = { name: 'Once', datasetVersionId: version, idempotencyKey: 'k1' };
    const both = await Promise.all([1, 2].map(() => mutate(api, 'createExperiment', 'experiment { id }', input)));
    expect(both[0].experiment.id).toBe(both[1].experiment.id);
    expect(codes(await mutate(api, 'createExperiment', 'experiment { id }', { ...input, name: 'Twice' }))).toEqual([
      'IDEMPOTENCY_KEY_REUSED',
    ]);
  });
});

describe('a run', () => {
  beforeAll(() => api.deps.prisma.run.deleteMany({ where: { status: 'QUEUED' } }));

  it('becomes one version of its model, however often it is completed', async () => {
    const version = await commit(api);
    for (const expected of [1, 2]) {
      const { runId } = await ask(api, version, { modelName: 'boxes', seed: expected });
      const claimed = await claim(api);
      if (!claimed) throw new Error('nothing to claim');
      expect(claimed.runId).toBe(runId);
      const input = await completion(api, claimed);
      const first = await complete(api, input);
      expect(first).toMatchObject({ modelVersion: { number: expected }, userErrors: [] });
      expect(await complete(api, input)).toEqual(first);
      const { data } = await api.execute('query ($id: ID!) { run(id: $id) { status progress modelVersion { id } } }', {
        id: runId,
      });
      expect(data.run).toEqual({ status: 'SUCCEEDED', progress: 1, modelVersion: { id: first.modelVersion.id } });
    }
  });

  it('gets a number of its own, also when several are completed at once', async () => {
    const version = await commit(api);
    const inputs = [];
    for (const seed of [1, 2, 3]) {
      await ask(api, version, { modelName: 'crowd', seed });
      const claimed = await claim(api);
      if (!claimed) throw new Error('nothing to claim');
      inputs.push(await completion(api, claimed));
    }
    const all = await Promise.all([...inputs, ...inputs].map((input) => complete(api, input)));
    expect(all.flatMap(({ userErrors }) => userErrors)).toEqual([]);
    const numbers = all.map(({ modelVersion }) => modelVersion.number);
    expect(numbers.slice(0, 3).toSorted()).toEqual([1, 2, 3]);
    expect(numbers.slice(3)).toEqual(numbers.slice(0, 3));
  });

  it('is not completed by what does not fit', async () => {
    await ask(api, await commit(api));
    const claimed = await claim(api);
    if (!claimed) throw new Error('nothing to claim');
    const input = await completion(api, claimed);
    const tried = async (more: object) => codes(await complete(api, { ...input, ...more }));
    expect(await tried({ parity: { ...input.parity, maxAbsDiff: 0.01 } })).toEqual(['PARITY_FAILED']);
    expect(await tried({ parity: { ...input.parity, maxAbsDiff: 0.01, tolerance: 0.1 } })).toEqual(['PARITY_FAILED']);
    expect(await tried({ manifest: { ...input.manifest, target: 'color' } })).toEqual(['MANIFEST_DIFFERS']);
    expect(await tried({ manifest: { ...input.manifest, threshold: null } })).toEqual(['MANIFEST_DIFFERS']);
    expect(await tried({ predictionsToken: input.artifactToken })).toEqual(['PREDICTIONS_DIFFER']);
    expect(await tried({ artifactToken: input.predictionsToken })).toEqual(['DIGEST_DIFFERS']);
    expect(await tried({ artifactToken: 'no id' })).toEqual(['NOT_FOUND']);
    expect(await tried({ manifest: {} })).toContain('INVALID_INPUT');
    expect(await tried({ attempt: 2 })).toEqual(['STALE_ATTEMPT']);
    expect(await tried({})).toEqual([]);
  });
});
