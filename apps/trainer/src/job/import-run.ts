/** An import, from a claim to a model version: import.ts makes it, all that is said to the API is here. */
import { Manifest, type TensorManifest } from '@anneal/edge/contract';
import { EDGE_BUILD, WASM_DIGEST } from '@anneal/edge/engine';
import { nodeRuntime } from '@anneal/edge/engine/node';
import { decodeTable, ImportSpec } from '../contract.ts';
import { JobFailure } from '../failure.ts';
import type { Api } from '../worker/api.ts';
import type { Log } from '../worker/log.ts';
import { completeImport, type ImportClaim, upload } from '../worker/operations.ts';
import { download } from './download.ts';
import { importModel } from './import.ts';

/** A claim with all that its job may touch. */
export interface ImportJob {
  api: Api;
  claim: ImportClaim;
  log: Log;
  /** A sign of life, with the share of the run that is done. */
  beat: (progress: number) => void;
}

/** Shares of the run. */
const DOWNLOADED = 0.1;
const IMPORTED = 0.9;

/** Runs the claim. Answers the number of the new version. @throws JobFailure, StaleAttempt, ApiError */
export async function runImport({ api, claim, log, beat }: ImportJob): Promise<number> {
  const { runId, attempt } = claim;
  const spec = parseSpec(claim.spec);
  const bytes = await download(api, claim.sourceUrl, spec.source.digest, () => beat(0));
  const table =
    claim.datasetUrl && spec.data
      ? decodeTable(await download(api, claim.datasetUrl, spec.data.datasetDigest, () => beat(0)))
      : null;
  const { artifact, predictions, report, ...made } = await importModel({
    bytes,
    spec,
    table,
    runtime: nodeRuntime,
    beat: (share) => beat(DOWNLOADED + (IMPORTED - DOWNLOADED) * share),
  });
  const manifest = withDataset(made.manifest, claim);
  log.info('imported', { ...report, predictions: predictions?.rows.length ?? null });
  beat(IMPORTED);
  const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const file = { mediaType: 'application/octet-stream', runId };
  const artifactToken = await upload(api, { ...file, filename: 'model.onnx', bytes: new Uint8Array(artifact) });
  const predictionsToken = predictions
    ? await upload(api, {
        filename: 'predictions.json',
        mediaType: 'application/json',
        bytes: json(predictions),
        runId,
      })
    : null;
  const tried = { wasmDigest: WASM_DIGEST, edgeBuild: EDGE_BUILD };
  const completion = { runId, attempt, artifactToken, manifest, report, predictionsToken, ...tried };
  return (await completeImport(api, completion)).number;
}

function parseSpec(spec: unknown): ImportSpec {
  const parsed = ImportSpec.safeParse(spec);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new JobFailure('SPEC_INVALID', `This trainer cannot read the ImportSpec: ${issues.join('; ')}`);
}

/** Clients may send any column of the dataset version, used or not, and cells as its files had them. */
function withDataset(
  manifest: Manifest | TensorManifest,
  { columns, missingValues }: Pick<ImportClaim, 'columns' | 'missingValues'>,
): Manifest | TensorManifest {
  if ('kind' in manifest || columns.length === 0) return manifest;
  const known = new Map(manifest.columns.map((column) => [column.name, column]));
  const all = columns.map(({ name, kind, values }) => ({
    ...(known.get(name)?.used ? known.get(name) : { name, kind, used: false }),
    ...(values?.length && { values }),
  }));
  return Manifest.parse({ ...manifest, columns: all, missingValues });
}
