/** The GraphQL operations of a trainer, typed. Each names (run, attempt), so that a dead attempt cannot write. */
import { z } from 'zod';
import { type Api, ApiError, type CallOptions } from './api.ts';

/** A column of the dataset version as the API parsed it; more fields than these may come. */
export const DatasetColumn = z.object({
  name: z.string(),
  kind: z.enum(['NUMERIC', 'CATEGORICAL', 'TEXT', 'TENSOR', 'TOKENS', 'IGNORE']),
  values: z.array(z.object({ from: z.string(), to: z.string() })).nullish(),
});

/** Kinds of runs: RunKind of the API. */
export const KINDS = ['TRAIN', 'IMPORT'] as const;
export type Kind = (typeof KINDS)[number];

const claimOf = {
  runId: z.string(),
  attempt: z.int().positive(),
  leaseSeconds: z.number().positive(),
  /** RunSpec or ImportSpec; parsed by the job, so that one it cannot read fails the run and not the trainer. */
  spec: z.unknown(),
  columns: z.array(DatasetColumn),
  missingValues: z.array(z.string()),
  checkpoint: z.object({ url: z.string(), step: z.int().min(0) }).nullable(),
  /** Epochs after which the run's search decides whether it goes on; none outside successive halving. */
  rungs: z.array(z.int().positive()),
};
const TrainClaim = z.object({ ...claimOf, kind: z.literal('TRAIN'), datasetUrl: z.string() });
export type TrainClaim = z.infer<typeof TrainClaim>;
const ImportClaim = z.object({
  ...claimOf,
  kind: z.literal('IMPORT'),
  /** The bytes of the model that came. */
  sourceUrl: z.string(),
  /** Null: it is not evaluated. */
  datasetUrl: z.string().nullable(),
});
export type ImportClaim = z.infer<typeof ImportClaim>;

/** A run that is now this trainer's, until its lease runs out. */
export const Claim = z.discriminatedUnion('kind', [TrainClaim, ImportClaim]);
export type Claim = z.infer<typeof Claim>;

/** Who writes: every write but the claim carries it. */
export interface Attempt {
  runId: string;
  attempt: number;
}

/** One value of one metric at one optimizer step. */
export interface MetricPoint {
  name: string;
  step: number;
  value: number;
}

const ERRORS = 'userErrors { code message field }';
const Nothing = z.object({});
const Version = z.object({ id: z.string(), number: z.int() });

/** Waits on the server's side for a queued run; null when none came. */
export async function claimRun(
  api: Api,
  input: { worker: string; engines: readonly string[]; kinds?: readonly Kind[]; waitSeconds: number },
  signal?: AbortSignal,
): Promise<Claim | null> {
  const document = `mutation ClaimRun($input: ClaimRunInput!) { claimRun(input: $input) { claim {
    runId attempt kind leaseSeconds spec sourceUrl datasetUrl columns missingValues checkpoint { url step } rungs }
    ${ERRORS} } }`;
  const timeoutMs = (input.waitSeconds + 15) * 1000;
  const payload = await api.mutate(document, input, z.object({ claim: Claim.nullable() }), { signal, timeoutMs });
  return payload.claim;
}

/** Keeps the lease; answers whether the run's owner wants it canceled. */
export async function heartbeatRun(api: Api, input: Attempt & { progress: number }, options: CallOptions) {
  const document = `mutation HeartbeatRun($input: HeartbeatRunInput!) {
    heartbeatRun(input: $input) { cancelRequested ${ERRORS} } }`;
  return api.mutate(document, input, z.object({ cancelRequested: z.boolean() }), options);
}

/** Appends points; a point that is there already stays as it is. */
export async function reportMetrics(
  api: Api,
  input: Attempt & {
    points: MetricPoint[];
    progress: number;
    engine: string;
    device: string;
    /** The objective on VALIDATION at its best so far; null while there is none. */
    score: number | null;
  },
): Promise<void> {
  const document = `mutation ReportMetrics($input: ReportMetricsInput!) { reportMetrics(input: $input) { ${ERRORS} } }`;
  await api.mutate(document, input, Nothing);
}

/** Says how the run stands after so many epochs; answers whether its search lets it go on. */
export async function reportRung(api: Api, input: Attempt & { epoch: number; score: number }): Promise<boolean> {
  const document = `mutation ReportRung($input: ReportRungInput!) { reportRung(input: $input) { proceeds ${ERRORS} } }`;
  return (await api.mutate(document, input, z.object({ proceeds: z.boolean() }))).proceeds;
}

/** Names stored bytes as the state to go on from. */
export async function saveCheckpoint(api: Api, input: Attempt & { step: number; uploadToken: string }): Promise<void> {
  const document = `mutation SaveCheckpoint($input: SaveCheckpointInput!) {
    saveCheckpoint(input: $input) { ${ERRORS} } }`;
  await api.mutate(document, input, Nothing);
}

/** Turns the run into a model version. */
export async function completeRun(
  api: Api,
  input: Attempt & {
    artifactToken: string;
    predictionsToken: string;
    manifest: unknown;
    parity: unknown;
    wasmDigest: string;
    edgeBuild: string;
    score: number | null;
  },
): Promise<{ id: string; number: number }> {
  const document = `mutation CompleteRun($input: CompleteRunInput!) {
    completeRun(input: $input) { modelVersion { id number } ${ERRORS} } }`;
  const { modelVersion } = await api.mutate(document, input, z.object({ modelVersion: Version.nullable() }));
  if (!modelVersion) throw new ApiError('completeRun: expected a modelVersion, got null without a userError');
  return modelVersion;
}

/** Turns an import into a model version. */
export async function completeImport(
  api: Api,
  input: Attempt & {
    artifactToken: string;
    manifest: unknown;
    report: unknown;
    predictionsToken: string | null;
    wasmDigest: string;
    edgeBuild: string;
  },
): Promise<{ id: string; number: number }> {
  const document = `mutation CompleteImport($input: CompleteImportInput!) {
    completeImport(input: $input) { modelVersion { id number } ${ERRORS} } }`;
  const { modelVersion } = await api.mutate(document, input, z.object({ modelVersion: Version.nullable() }));
  if (!modelVersion) throw new ApiError('completeImport: expected a modelVersion, got null without a userError');
  return modelVersion;
}

/** Ends the run without a version; code CANCELED makes it CANCELED, any other FAILED. */
export async function failRun(
  api: Api,
  input: Attempt & { code: string; message: string },
  options: CallOptions,
): Promise<void> {
  const document = `mutation FailRun($input: FailRunInput!) { failRun(input: $input) { ${ERRORS} } }`;
  await api.mutate(document, input, Nothing, options);
}

const Upload = z.object({
  url: z.string(),
  method: z.string(),
  headers: z.array(z.object({ name: z.string(), value: z.string() })),
  token: z.string(),
});

/** Stages and uploads bytes. Answers the token that a later operation names them by. */
export async function upload(
  api: Api,
  file: { filename: string; mediaType: string; bytes: Uint8Array<ArrayBuffer>; runId: string },
): Promise<string> {
  const { filename, mediaType, bytes, runId } = file;
  const document = `mutation StageUpload($input: StageUploadInput!) { stageUpload(input: $input) {
    upload { url method headers { name value } token } ${ERRORS} } }`;
  const input = { filename, mediaType, runId, byteLength: bytes.byteLength };
  const { upload: staged } = await api.mutate(document, input, z.object({ upload: Upload.nullable() }));
  if (!staged) throw new ApiError('stageUpload: expected an upload, got null without a userError');
  const headers = staged.headers.map(({ name, value }): [string, string] => [name, value]);
  await api.http(staged.url, { method: staged.method, headers, body: bytes }, { timeoutMs: 300_000 });
  return staged.token;
}
