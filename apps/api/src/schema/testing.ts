/** For tests of the schema: the journey's steps over a real API, each one call. What trainers compute is made up. */
import type { Manifest } from '@anneal/edge/contract';
import { decodeTable, PARTS, RunSpec } from '@anneal/trainer/contract';
import { z } from 'zod';
import type { TestApi } from '../../../../test/testkit/api.ts';
import type { PredictionsFile } from '../contract.ts';

const ERRORS = 'userErrors { code field message }';

/** 40 rows of two classes, told apart by `width`. */
export const CSV = [
  'width,color,kind',
  ...Array.from({ length: 40 }, (_, i) => `${i}.5,${['red', 'green', 'blue'][i % 3]},${i < 20 ? 'small' : 'large'}`),
].join('\n');

/** Any mutation of one field; fails the test on top-level errors. */
export async function mutate(api: TestApi, name: string, fields: string, input: object, key?: string) {
  const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}Input`;
  const document = `mutation ($input: ${type}!) { ${name}(input: $input) { ${fields} ${ERRORS} } }`;
  const { data, errors } = await api.execute(document, { input }, key);
  if (errors) throw new Error(`${name}: ${JSON.stringify(errors)}`);
  return data[name];
}

/** Stages, PUTs, and answers the token. */
export async function upload(api: TestApi, bytes: string | Uint8Array<ArrayBuffer>, more: object = {}, key?: string) {
  const body = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes;
  const input = { filename: 'file', byteLength: body.byteLength, ...more };
  const answer = await mutate(api, 'stageUpload', 'upload { url method token headers { name value } }', input, key);
  const { url, method, token, headers } = answer.upload;
  const put = await fetch(url, {
    method,
    body,
    headers: headers.map(({ name, value }: { name: string; value: string }): [string, string] => [name, value]),
  });
  if (!put.ok) throw new Error(`PUT ${url}: ${put.status} ${await put.text()}`);
  return String(token);
}

/** A committed version of a new data set; answers the version's id. */
export async function commit(api: TestApi, csv = CSV, key?: string): Promise<string> {
  const { dataset } = await mutate(api, 'createDataset', 'dataset { id }', { name: 'boxes' }, key);
  const input = {
    datasetId: dataset.id,
    uploadTokens: [await upload(api, csv, {}, key)],
    format: 'CSV',
    target: 'kind',
  };
  const { datasetVersion, userErrors } = await mutate(api, 'commitDatasetVersion', 'datasetVersion { id }', input, key);
  if (!datasetVersion) throw new Error(JSON.stringify(userErrors));
  return datasetVersion.id;
}

/** A queued run; answers the ids of experiment and run. */
export async function ask(api: TestApi, datasetVersionId: string, more: object = {}, key?: string) {
  const fields = 'experiment { id runs { nodes { id } } }';
  const input = { name: 'Boxes', datasetVersionId, ...more };
  const { experiment, userErrors } = await mutate(api, 'createExperiment', fields, input, key);
  if (!experiment) throw new Error(JSON.stringify(userErrors));
  return { experimentId: String(experiment.id), runId: String(experiment.runs.nodes[0].id) };
}

const CLAIM = `claim {
  runId attempt leaseSeconds spec datasetUrl columns missingValues checkpoint { url step } rungs }`;
const Claim = z.object({
  runId: z.string(),
  attempt: z.number(),
  spec: RunSpec,
  datasetUrl: z.string(),
  columns: z.array(z.object({ name: z.string(), kind: z.enum(['NUMERIC', 'CATEGORICAL', 'TEXT', 'IGNORE']) })),
  missingValues: z.array(z.string()),
  checkpoint: z.object({ url: z.string(), step: z.number() }).nullable(),
  rungs: z.array(z.number()),
});
export type TestClaim = z.infer<typeof Claim>;

/** Claims as the trainer service; null when there is nothing. */
export async function claim(api: TestApi, more: object = {}, key = api.keys.trainer): Promise<TestClaim | null> {
  const input = { worker: 'test', engines: ['ORT_CPU'], ...more };
  return Claim.nullable().parse((await mutate(api, 'claimRun', CLAIM, input, key)).claim);
}

/** Runs out every lease, as ten silent seconds would. */
export async function expireLeases(api: TestApi): Promise<void> {
  await api.deps.prisma.$executeRaw`UPDATE "Run" SET "leaseExpiresAt" = now() - interval '1 second'
    WHERE status = 'RUNNING'`;
}

/** What a trainer hands in for a claim: uploads made, nothing trained. */
export async function completion(
  api: TestApi,
  { runId, attempt, spec, columns, missingValues, datasetUrl }: TestClaim,
) {
  const key = api.keys.trainer;
  const artifact = new TextEncoder().encode(`artifact of ${runId}`);
  const artifactToken = await upload(api, artifact, { filename: 'model.onnx', runId }, key);
  const digest = Buffer.from(await crypto.subtle.digest('SHA-256', artifact)).toString('hex');
  const table = decodeTable(new Uint8Array(await (await fetch(datasetUrl)).arrayBuffer()));
  const rows = [...table.split.keys()].filter((row) => PARTS[table.split[row] ?? 0] === 'TEST');
  const predictions: PredictionsFile = {
    formatVersion: 1,
    kind: 'CLASSES',
    rows,
    classes: spec.classes ?? [],
    probabilities: rows.map(() => [0.75, 0.25]),
    labels: rows.map(() => 0),
  };
  const used = new Set(spec.features.map(({ name }) => name));
  const manifest: Manifest = {
    formatVersion: 1,
    task: spec.task,
    artifact: { digest, byteLength: artifact.byteLength },
    columns: columns.map(({ name, kind }) => ({ name, kind, used: used.has(name) })),
    target: spec.target,
    missingValues,
    classes: spec.classes,
    positiveClass: spec.positiveClass,
    threshold: spec.task === 'BINARY' ? 0.5 : null,
    inputs: spec.features.map(({ name, kind }) => ({
      name,
      column: name,
      type: kind === 'NUMERIC' ? ('double' as const) : ('string' as const),
    })),
    output: 'probabilities',
  };
  return {
    runId,
    attempt,
    artifactToken,
    predictionsToken: await upload(api, JSON.stringify(predictions), { runId }, key),
    manifest,
    parity: { engine: 'ORT_CPU', rows: rows.length, maxAbsDiff: 1e-7, tolerance: 1e-4, labelAgreement: 1 },
    wasmDigest: '0'.repeat(64),
    edgeBuild: 'test',
  };
}

/** Completes a claim as a trainer would; answers the payload. */
export async function complete(api: TestApi, input: object) {
  return await mutate(api, 'completeRun', 'modelVersion { id number }', input, api.keys.trainer);
}
