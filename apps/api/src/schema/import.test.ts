/** Imports as their owners and their workers see them. The worker is played: what a file becomes is the trainer's. */
import type { Manifest, TensorManifest } from '@anneal/edge/contract';
import { decodeTable, ImportSpec, PARTS } from '@anneal/trainer/contract';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../../../test/testkit/api.ts';
import type { ImportReport, PredictionsFile } from '../contract.ts';
import { CSV, claim, commit, expireLeases, mutate, upload } from './testing.ts';

let api: TestApi;
let data: string;
beforeAll(async () => {
  api = await startTestApi();
  data = await commit(api);
});
beforeEach(async () => {
  await api.deps.prisma.run.deleteMany({ where: { status: { in: ['QUEUED', 'RUNNING'] } } });
});
afterAll(() => api.close());

const PAYLOAD = `run { id kind status error experiment { id } spec }
  modelVersion { id number task classes threshold parity { engine } evaluation { accuracy { value } } manifest
    imported { filename sourceDigest format sourceOpset servedOpset changes heapBytes
      shapes { name kind declared found } } }`;
const source = (text = 'an ONNX file') => upload(api, text, { filename: 'theirs.onnx' });
const importing = async (more: object = {}, fields = PAYLOAD) =>
  mutate(api, 'importModelVersion', fields, { modelName: 'theirs', uploadToken: await source(), ...more });
const errorOf = async (more: object) => (await importing(more, '__typename')).userErrors[0];

/** Claims the import that comes next, as its worker does. */
async function taken(waitSeconds = 20) {
  const fields = 'claim { runId attempt kind spec sourceUrl datasetUrl columns missingValues }';
  const input = { worker: 'test', engines: ['ORT_CPU'], kinds: ['IMPORT'], waitSeconds };
  const found = (await mutate(api, 'claimRun', fields, input, api.keys.trainer)).claim;
  return found && { ...found, spec: ImportSpec.parse(found.spec) };
}
type Taken = Awaited<ReturnType<typeof taken>>;

const ARTIFACT = new TextEncoder().encode('the artifact');
const digestOf = async (bytes: Uint8Array<ArrayBuffer>) =>
  Buffer.from(await crypto.subtle.digest('SHA-256', bytes)).toString('hex');
const artifactOf = async () => ({ digest: await digestOf(ARTIFACT), byteLength: ARTIFACT.byteLength });

async function tensors(): Promise<TensorManifest> {
  return {
    ...{ formatVersion: 1, kind: 'TENSORS', artifact: await artifactOf() },
    inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 4] }],
    outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 3] }],
  };
}

async function rows(): Promise<Manifest> {
  return {
    ...{ formatVersion: 1, task: 'BINARY', artifact: await artifactOf(), target: 'kind', missingValues: [] },
    columns: [
      { name: 'width', kind: 'NUMERIC', used: true },
      { name: 'color', kind: 'CATEGORICAL', used: false },
    ],
    ...{ classes: ['small', 'large'], positiveClass: 'small', threshold: 0.5 },
    inputs: [{ name: 'width', column: 'width', type: 'double' }],
    output: 'probabilities',
  };
}

function report({ source: { digest, filename } }: ImportSpec): ImportReport {
  return {
    ...{ filename, sourceDigest: digest, format: 'ONNX', opset: { source: 9, served: 21 }, heapBytes: 3_000_000_000 },
    changes: ['ZipMap removed'],
    shapes: [{ name: 'x', kind: 'INPUT', declared: [1, 4], found: [-1, 4] }],
  };
}

/** Ends the import as its worker does. */
async function completed(run: Taken, manifest: Manifest | TensorManifest, more: object = {}) {
  const { runId, attempt, spec } = run;
  const artifactToken = await upload(api, ARTIFACT, { runId }, api.keys.trainer);
  const tried = { wasmDigest: '0'.repeat(64), edgeBuild: 'test' };
  const input = { runId, attempt, artifactToken, manifest, report: report(spec), ...tried, ...more };
  return mutate(api, 'completeImport', 'modelVersion { id number }', input, api.keys.trainer);
}

/** Predictions of the TEST rows, all "small", in the order of the model's classes. */
async function predictions(run: Taken, classes = ['small', 'large']): Promise<string> {
  const table = decodeTable(new Uint8Array(await (await fetch(run.datasetUrl)).arrayBuffer()));
  const held = [...table.split.keys()].filter((row) => PARTS[table.split[row] ?? 0] === 'TEST');
  const file: PredictionsFile = {
    ...{ formatVersion: 1, kind: 'CLASSES', rows: held, classes },
    probabilities: held.map(() => [0.75, 0.25]),
    labels: held.map(() => 0),
  };
  return upload(api, JSON.stringify(file), { runId: run.runId }, api.keys.trainer);
}

describe('importModelVersion', () => {
  it('answers with the version as soon as the import has ended', async () => {
    const answer = importing();
    const run = await taken();
    expect(run).toMatchObject({ attempt: 1, kind: 'IMPORT', datasetUrl: null, columns: [] });
    expect(run.spec).toMatchObject({ source: { filename: 'theirs.onnx', byteLength: 12 }, preprocessing: null });
    expect(await (await fetch(run.sourceUrl)).text()).toBe('an ONNX file');
    const manifest = await tensors();
    const once = await completed(run, manifest);
    expect(await completed(run, manifest)).toEqual(once); // the same attempt, the same version

    const { modelVersion, userErrors, ...payload } = await answer;
    expect(userErrors).toEqual([]);
    expect(payload.run).toMatchObject({ kind: 'IMPORT', status: 'SUCCEEDED', error: null, experiment: null });
    expect(modelVersion).toMatchObject({ id: once.modelVersion.id, number: 1, manifest });
    expect(modelVersion).toMatchObject({ task: null, classes: null, threshold: null, parity: null, evaluation: null });
    expect(modelVersion.imported).toEqual({
      ...{ filename: 'theirs.onnx', sourceDigest: run.spec.source.digest, format: 'ONNX', heapBytes: 3_000_000_000 },
      ...{ sourceOpset: 9, servedOpset: 21, changes: ['ZipMap removed'] },
      shapes: [{ name: 'x', kind: 'INPUT', declared: [1, 4], found: [-1, 4] }],
    });
  });

  it('evaluates on the held-out rows of a dataset version, with the classes in the order of the model', async () => {
    const preprocessing = { columns: ['width'], mean: [20], scale: [10], activation: 'SOFTMAX' };
    const decision = { positiveClass: 'large', threshold: 0.4 };
    const answer = importing({ labels: ['small', 'large'], ...decision, preprocessing, evaluateOn: data });
    const run = await taken();
    expect(run.columns.map(({ name }: { name: string }) => name)).toEqual(['width', 'color']);
    expect(run.spec).toMatchObject({
      ...{ labels: ['small', 'large'], ...decision },
      preprocessing: { ...preprocessing, input: null, output: null },
      data: { task: 'BINARY', target: 'kind', classes: ['large', 'small'], positiveClass: 'small' },
    });
    const predictionsToken = await predictions(run);
    const codes = async (manifest: Manifest | TensorManifest, more: object) =>
      (await completed(run, manifest, more)).userErrors.map(({ code }: { code: string }) => code);
    const manifest = { ...(await rows()), ...decision };
    for (const differs of [{ threshold: 0.5 }, { positiveClass: 'small' }])
      expect(await codes({ ...manifest, ...differs }, { predictionsToken })).toEqual(['MANIFEST_DIFFERS']);
    expect(await codes(manifest, {})).toEqual(['PREDICTIONS_DIFFER']);
    expect(await codes(await tensors(), { predictionsToken })).toEqual(['MANIFEST_DIFFERS']);
    const other = { ...manifest, classes: ['large', 'small'] };
    expect(await codes(other, { predictionsToken })).toEqual(['MANIFEST_DIFFERS']);
    expect(await codes(manifest, { predictionsToken: await predictions(run, ['large', 'small']) })).toEqual([
      'PREDICTIONS_DIFFER',
    ]);
    expect(await codes(manifest, { predictionsToken })).toEqual([]);
    const { modelVersion } = await answer;
    expect(modelVersion).toMatchObject({ task: 'BINARY', classes: ['small', 'large'], threshold: 0.4 });
    const held = await api.deps.prisma.evaluation.findFirstOrThrow({ orderBy: { id: 'desc' } });
    expect(held.n).toBe(6); // of 40 rows, stratified: three of each class, all answered "small"
    expect(modelVersion.evaluation.accuracy.value).toBe(0.5);
  });

  it('says why the import failed, in the words of its run', async () => {
    for (const [code, field] of [
      ['OPERATOR_UNSUPPORTED', ['uploadToken']],
      ['SIGNATURE_DIFFERS', ['signature']],
    ]) {
      const answer = importing();
      const { runId, attempt } = await taken();
      const message = `${code}: what and what to do`;
      await mutate(api, 'failRun', '__typename', { runId, attempt, code, message }, api.keys.trainer);
      const { run, modelVersion, userErrors } = await answer;
      expect(modelVersion).toBeNull();
      expect(userErrors).toEqual([{ code, field, message }]);
      expect(run).toMatchObject({ id: runId, status: 'FAILED', error: `${code}: ${message}` });
    }
  });

  it('refuses at once what needs no look into the file', async () => {
    const staged = { filename: 'x', byteLength: 1 };
    const { upload: never } = await mutate(api, 'stageUpload', 'upload { token }', staged);
    expect(await errorOf({ uploadToken: never.token })).toMatchObject({ code: 'UPLOAD_INCOMPLETE' });
    expect(await errorOf({ labels: ['a', 'a'] })).toMatchObject({ code: 'INVALID_INPUT', field: ['labels'] });
    expect(await errorOf({ threshold: 1.5 })).toMatchObject({ message: 'expected a probability, 0 to 1' });
    expect(await errorOf({ threshold: 0.2 })).toMatchObject({ code: 'INVALID_INPUT', field: ['threshold'] });
    expect(await errorOf({ positiveClass: 'small' })).toMatchObject({ field: ['positiveClass'] });
    const positive = { labels: ['small', 'large'], positiveClass: 'huge', evaluateOn: data };
    expect(await errorOf(positive)).toMatchObject({
      ...{ code: 'INVALID_INPUT', field: ['positiveClass'] },
      message: '"huge" is none of the labels small, large.',
    });
    expect(await errorOf({ labels: ['small', 'huge'], evaluateOn: data })).toMatchObject({
      ...{ code: 'LABELS_DIFFER', field: ['labels'] },
      message: expect.stringContaining('"large", "small"'),
    });
    expect(await errorOf({ preprocessing: { columns: ['widht'] }, evaluateOn: data })).toMatchObject({
      ...{ code: 'COLUMNS_DIFFER', field: ['preprocessing', 'columns', '0'] },
      message: expect.stringContaining('"width"'),
    });
    const columns = ['a', 'b', 'c'];
    expect(await errorOf({ preprocessing: { columns, mean: [1, 2] } })).toMatchObject({
      field: ['preprocessing', 'mean'],
    });
    expect(await errorOf({ preprocessing: { columns, scale: [1, 0, 2] } })).toMatchObject({
      field: ['preprocessing', 'scale', '1'],
    });
    expect(await errorOf({ preprocessing: { columns: ['a', 'b', 'a'] } })).toMatchObject({
      field: ['preprocessing', 'columns', '2'],
    });
    const inputs = [{ name: 'x', datatype: 'FLOAT', shape: [1] }];
    expect(await errorOf({ signature: { inputs } })).toMatchObject({
      field: ['signature', 'inputs', '0', 'datatype'],
    });
    expect(await errorOf({ modelName: 'no spaces' })).toMatchObject({ field: ['modelName'] });
    const { secret } = await mutate(api, 'createProject', 'secret', { name: 'elsewhere' });
    expect(await errorOf({ uploadToken: await upload(api, 'x', {}, secret) })).toMatchObject({ code: 'NOT_FOUND' });
    expect(await errorOf({ evaluateOn: await commit(api, CSV, secret) })).toMatchObject({
      ...{ code: 'NOT_FOUND', field: ['evaluateOn'] },
    });
    expect(await api.deps.prisma.run.count({ where: { status: 'QUEUED' } })).toBe(0);
  });
});

describe('the run of an import', () => {
  it('is no matter of trainers that did not ask for imports', async () => {
    const { run, modelVersion, userErrors } = await importing({ waitSeconds: 0 });
    expect({ status: run.status, modelVersion, userErrors }).toEqual({
      ...{ status: 'QUEUED', modelVersion: null, userErrors: [] },
    });
    expect(await claim(api)).toBeNull();
    expect(await taken(0)).toMatchObject({ runId: run.id });
  });

  it('is made once per idempotency key, whatever the caller waits', async () => {
    const input = { uploadToken: await source(), idempotencyKey: 'once' };
    const first = await importing({ ...input, waitSeconds: 0 });
    const answer = importing(input);
    const run = await taken();
    expect(run.runId).toBe(first.run.id);
    await completed(run, await tensors());
    expect((await answer).modelVersion.id).toBe((await importing(input)).modelVersion.id);
    expect((await importing({ ...input, modelName: 'other' })).userErrors[0].code).toBe('IDEMPOTENCY_KEY_REUSED');
  });

  it('is taken over when its worker dies, canceled and retried like any other', async () => {
    const answer = importing();
    const first = await taken();
    await expireLeases(api);
    const second = await taken();
    expect(second).toMatchObject({ runId: first.runId, attempt: 2 });
    expect((await completed(first, await tensors())).userErrors[0].code).toBe('STALE_ATTEMPT');
    const { runId, attempt } = second;
    await mutate(api, 'cancelRun', '__typename', { runId });
    const beat = await mutate(api, 'heartbeatRun', 'cancelRequested', { runId, attempt }, api.keys.trainer);
    expect(beat.cancelRequested).toBe(true);
    const end = { runId, attempt, code: 'CANCELED', message: 'Canceled on request.' };
    await mutate(api, 'failRun', '__typename', end, api.keys.trainer);
    expect((await answer).userErrors).toMatchObject([{ code: 'CANCELED' }]);
    expect((await mutate(api, 'retryRun', 'run { status }', { runId })).run.status).toBe('QUEUED');
    const third = await taken();
    expect(third).toMatchObject({ runId, attempt: 3 });
    expect((await completed(third, await tensors())).modelVersion.number).toBeGreaterThan(0);
  });

  it('is completed by completeImport alone, with the file that it was given', async () => {
    await importing({ waitSeconds: 0 });
    const run = await taken();
    const foreign = { report: { ...report(run.spec), sourceDigest: '1'.repeat(64) } };
    expect((await completed(run, await tensors(), foreign)).userErrors[0].code).toBe('DIGEST_DIFFERS');
    expect((await completed(run, await rows())).userErrors[0].code).toBe('MANIFEST_DIFFERS');
    const { runId, attempt } = run;
    const artifactToken = await upload(api, ARTIFACT, { runId }, api.keys.trainer);
    const parity = { engine: 'ORT_CPU', rows: 1, maxAbsDiff: 0, tolerance: 1e-4, labelAgreement: 1 };
    const tried = { wasmDigest: '0'.repeat(64), edgeBuild: 'test', predictionsToken: artifactToken };
    const input = { runId, attempt, artifactToken, manifest: await rows(), parity, ...tried };
    const trained = await mutate(api, 'completeRun', '__typename', input, api.keys.trainer);
    expect(trained.userErrors[0].code).toBe('RUN_KIND_DIFFERS');
    expect((await completed(run, await tensors())).modelVersion).not.toBeNull();
  });
});
