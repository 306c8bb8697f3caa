/**
 * Publishing: a finished run becomes a model version, in one transaction, whatever kind of run it was. What each kind
 * must bring is checked where it ends (complete-run.ts, complete-import.ts); here is what all have in common.
 */
import { Digest, type Manifest, type TensorManifest } from '@anneal/edge/contract';
import { z } from 'zod';
import { type ImportReport, type Parity, PredictionsFile } from '../contract.ts';
import type { Deps } from '../deps.ts';
import { UserError } from '../errors.ts';
import type { Prisma, Run, RunKind } from '../generated/prisma/client.ts';
import { AttemptInput, staleAttempt } from './attempt.ts';
import { canonicalJson } from './canonical.ts';
import { StoredSplit } from './dataset-columns.ts';
import { globalId } from './ids.ts';
import { type CompleteUpload, usableUpload } from './upload.ts';

/** What the end of every kind of run says. */
export const CompletionInput = AttemptInput.extend({
  artifactToken: globalId('Upload'),
  wasmDigest: Digest,
  edgeBuild: z.string().min(1).max(200),
});
type Completion = z.output<typeof CompletionInput> & { manifest: Manifest | TensorManifest };

/** Predictions of all held-out rows of the dataset version with this digest. */
export interface Held {
  predictions: CompleteUpload;
  n: number;
  datasetDigest: string;
}

/** What the run makes public. */
export interface Publication {
  artifact: CompleteUpload;
  held: Held | null;
  parity: Parity | null;
  imported: ImportReport | null;
  score?: number | null;
}

/** What a kind of run brings to {@link publish}. */
export interface Steps {
  /** Everything that can be wrong without the run being stale. @throws UserError */
  check: () => Promise<Publication>;
  /** What else changes in the transaction that ends the run. */
  settle?: (tx: Prisma.TransactionClient, run: Run) => Promise<void>;
}

/**
 * Run SUCCEEDED, Artifact, the next ModelVersion and, where there are predictions, its HOLDOUT Evaluation, all or
 * nothing. The same attempt saying the same again gets the same version. @throws UserError
 */
export async function publish(deps: Deps, input: Completion, steps: Steps): Promise<{ modelVersionId: string }> {
  const before = await publishedBy(deps.prisma, input);
  if (before) return before;
  const publication = await steps.check();
  const published = await deps.prisma.$transaction(async (tx) => {
    const modelId = await ownRun(tx, input);
    return modelId
      ? await write(tx, { now: deps.now(), modelId, input, publication, settle: steps.settle })
      : undefined;
  });
  // Only the run's own row decides: whoever lost the race to the same attempt finds what the winner wrote.
  const version = published ?? (await publishedBy(deps.prisma, input));
  if (!version) throw staleAttempt();
  await deps.pubsub.publish('run', input.runId);
  return version;
}

/** The version that this very attempt has published; undefined while there is none. */
async function publishedBy(
  prisma: Pick<Prisma.TransactionClient, 'modelVersion'>,
  { runId, attempt, manifest }: Completion,
): Promise<{ modelVersionId: string } | undefined> {
  const version = await prisma.modelVersion.findFirst({
    where: { runId, run: { attempt, status: 'SUCCEEDED' }, artifactDigest: manifest.artifact.digest },
    select: { id: true },
  });
  return version ? { modelVersionId: version.id } : undefined;
}

/** The fence: the id of the model if the attempt still owns the run, whose row stays locked until the end. */
async function ownRun(tx: Prisma.TransactionClient, { runId, attempt }: Completion): Promise<string | undefined> {
  const [own] = await tx.$queryRaw<{ modelId: string }[]>`
    SELECT COALESCE(r."modelId", e."modelId") AS "modelId"
    FROM "Run" r LEFT JOIN "Experiment" e ON e.id = r."experimentId"
    WHERE r.id = ${runId}::uuid AND r.attempt = ${attempt} AND r.status = 'RUNNING' FOR UPDATE OF r`;
  if (!own) return undefined;
  // Numbers of a model rise one by one: two runs that publish at once queue here.
  await tx.$queryRaw`SELECT id FROM "Model" WHERE id = ${own.modelId}::uuid FOR UPDATE`;
  return own.modelId;
}

async function write(
  tx: Prisma.TransactionClient,
  o: { now: Date; modelId: string; input: Completion; publication: Publication; settle: Steps['settle'] },
): Promise<{ modelVersionId: string }> {
  const { runId, manifest, wasmDigest, edgeBuild } = o.input;
  const { artifact, held, parity, imported } = o.publication;
  const { digest, byteLength, mediaType } = artifact;
  await tx.artifact.createMany({ data: { digest, byteLength, mediaType }, skipDuplicates: true });
  const last = await tx.modelVersion.aggregate({ where: { modelId: o.modelId }, _max: { number: true } });
  const evaluation = held && {
    source: 'HOLDOUT' as const,
    n: held.n,
    predictionsDigest: held.predictions.digest,
    datasetDigest: held.datasetDigest,
    wasmDigest,
    edgeBuild,
  };
  const version = await tx.modelVersion.create({
    data: {
      modelId: o.modelId,
      number: (last._max.number ?? 0) + 1,
      runId,
      artifactDigest: digest,
      manifest,
      ...(parity && { parity }),
      ...(imported && { imported }),
      ...(evaluation && { evaluations: { create: evaluation } }),
    },
    select: { id: true },
  });
  const score = o.publication.score ?? undefined; // what was reported before stays when it does not come again
  const ended = { status: 'SUCCEEDED', progress: 1, score, finishedAt: o.now, leaseExpiresAt: null } as const;
  const run = await tx.run.update({ where: { id: runId }, data: ended });
  await o.settle?.(tx, run);
  return { modelVersionId: version.id };
}

/** A run is completed by the mutation of its kind. @throws UserError */
export function checkKind({ kind }: { kind: RunKind }, expected: RunKind): void {
  if (kind === expected) return;
  const mutation = kind === 'IMPORT' ? 'completeImport' : 'completeRun';
  throw new UserError('RUN_KIND_DIFFERS', `The run is of kind ${kind}: it is completed by ${mutation}.`, ['runId']);
}

/** The uploaded artifact, which is the one that the manifest promises. @throws UserError */
export async function usableArtifact(deps: Deps, projectId: string, input: Completion): Promise<CompleteUpload> {
  const artifact = await usableUpload(deps.prisma, { id: input.artifactToken, projectId }, ['artifactToken']);
  const promised = input.manifest.artifact;
  if (promised.digest === artifact.digest && promised.byteLength === artifact.byteLength) return artifact;
  throw new UserError(
    'DIGEST_DIFFERS',
    `The manifest promises ${promised.digest} (${promised.byteLength} bytes), ` +
      `the upload is ${artifact.digest} (${artifact.byteLength} bytes).`,
    ['manifest', 'artifact', 'digest'],
  );
}

/** Fields of a manifest beside what the run asked for: [name, expected, came]. @throws UserError at the first other */
export function checkPairs(pairs: readonly (readonly [string, unknown, unknown])[]): void {
  for (const [field, expected, came] of pairs)
    if (canonicalJson(expected) !== canonicalJson(came))
      throw new UserError(
        'MANIFEST_DIFFERS',
        `manifest.${field} does not fit the run: expected ${canonicalJson(expected)}, got ${canonicalJson(came)}.`,
        ['manifest', field],
      );
}

/** The uploaded predictions, which are of every held-out row, each once. @throws UserError */
export async function usablePredictions(
  deps: Deps,
  upload: { id: string; projectId: string },
  { classes, data }: { classes: string[] | null; data: { split: unknown; digest: string } },
): Promise<Held> {
  const predictions = await usableUpload(deps.prisma, upload, ['predictionsToken']);
  const file = readPredictions(await deps.blobs.read(predictions.digest));
  const n = StoredSplit.parse(data.split).counts.TEST;
  const distinct = new Set(file.rows).size;
  const fits =
    file.kind === 'CLASSES'
      ? canonicalJson(file.classes) === canonicalJson(classes) &&
        file.probabilities.length === n &&
        file.labels.length === n
      : classes === null && file.values.length === n;
  if (fits && file.rows.length === n && distinct === n) return { predictions, n, datasetDigest: data.digest };
  throw new UserError(
    'PREDICTIONS_DIFFER',
    `Expected one prediction for each of the ${n} held-out rows and the classes of the manifest; ` +
      `got ${file.kind} for ${file.rows.length} rows, ${distinct} of them different.`,
    ['predictionsToken'],
  );
}

function readPredictions(bytes: Uint8Array): PredictionsFile {
  try {
    return PredictionsFile.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (error) {
    const problem = error instanceof z.ZodError ? z.prettifyError(error).slice(0, 500) : String(error);
    throw new UserError('PREDICTIONS_DIFFER', `The predictions are not a PredictionsFile: ${problem}`, [
      'predictionsToken',
    ]);
  }
}
