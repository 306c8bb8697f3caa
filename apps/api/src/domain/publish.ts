/**
 * Publishing: a finished run becomes a model version, in one transaction. The API checks what it can check without
 * running the artifact: digests, the manifest against the RunSpec, the predictions against the split, and parity.
 */
import { Digest, Manifest } from '@anneal/edge/contract';
import { RunSpec } from '@anneal/trainer/contract';
import { z } from 'zod';
import type { Caller } from '../context.ts';
import { Parity, PredictionsFile } from '../contract.ts';
import type { Deps } from '../deps.ts';
import { UserError } from '../errors.ts';
import type { DatasetVersion, Prisma } from '../generated/prisma/client.ts';
import { AttemptInput, staleAttempt } from './attempt.ts';
import { canonicalJson } from './canonical.ts';
import { StoredSplit } from './dataset-columns.ts';
import { globalId } from './ids.ts';
import { trainableRun } from './run-access.ts';
import { standOnAllRungs } from './rung.ts';
import { rungsOfSearch } from './search.ts';
import { type CompleteUpload, usableUpload } from './upload.ts';

/** Input of {@link completeRun}. */
export const CompleteRunInput = AttemptInput.extend({
  artifactToken: globalId('Upload'),
  predictionsToken: globalId('Upload'),
  manifest: Manifest,
  parity: Parity,
  wasmDigest: Digest,
  edgeBuild: z.string().min(1).max(200),
  score: z.number().nullish(),
});
type Input = z.output<typeof CompleteRunInput>;

/** What the run makes public. */
interface Publication {
  artifact: CompleteUpload;
  predictions: CompleteUpload;
  /** Held-out rows that were predicted, of the dataset version with this digest. */
  n: number;
  datasetDigest: string;
}

/**
 * Run SUCCEEDED, Artifact, the next ModelVersion and its HOLDOUT Evaluation, all or nothing. The same attempt saying
 * the same again gets the same version.
 */
export async function completeRun(deps: Deps, caller: Caller, input: Input): Promise<{ modelVersionId: string }> {
  const { projectId } = await trainableRun(deps, caller, input.runId);
  const before = await publishedBy(deps.prisma, input);
  if (before) return before;
  checkParity(input);
  const publication = await check(deps, projectId, input);
  const published = await deps.prisma.$transaction(async (tx) => {
    const modelId = await ownRun(tx, input);
    return modelId ? await write(tx, deps.now(), modelId, input, publication) : undefined;
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
  { runId, attempt, manifest }: Input,
): Promise<{ modelVersionId: string } | undefined> {
  const version = await prisma.modelVersion.findFirst({
    where: { runId, run: { attempt, status: 'SUCCEEDED' }, artifactDigest: manifest.artifact.digest },
    select: { id: true },
  });
  return version ? { modelVersionId: version.id } : undefined;
}

/** The fence: the id of the model if the attempt still owns the run, whose row stays locked until the end. */
async function ownRun(tx: Prisma.TransactionClient, { runId, attempt }: Input): Promise<string | undefined> {
  const [own] = await tx.$queryRaw<{ modelId: string }[]>`
    SELECT e."modelId" FROM "Run" r JOIN "Experiment" e ON e.id = r."experimentId"
    WHERE r.id = ${runId}::uuid AND r.attempt = ${attempt} AND r.status = 'RUNNING' FOR UPDATE OF r`;
  if (!own) return undefined;
  // Numbers of a model rise one by one: two runs that publish at once queue here.
  await tx.$queryRaw`SELECT id FROM "Model" WHERE id = ${own.modelId}::uuid FOR UPDATE`;
  return own.modelId;
}

async function write(
  tx: Prisma.TransactionClient,
  now: Date,
  modelId: string,
  input: Input,
  { artifact, predictions, n, datasetDigest }: Publication,
): Promise<{ modelVersionId: string }> {
  const { runId, manifest, parity, wasmDigest, edgeBuild } = input;
  await tx.artifact.createMany({
    data: { digest: artifact.digest, byteLength: artifact.byteLength, mediaType: artifact.mediaType },
    skipDuplicates: true,
  });
  const last = await tx.modelVersion.aggregate({ where: { modelId }, _max: { number: true } });
  const version = await tx.modelVersion.create({
    data: {
      modelId,
      number: (last._max.number ?? 0) + 1,
      runId,
      artifactDigest: artifact.digest,
      manifest,
      parity,
      evaluations: {
        create: {
          source: 'HOLDOUT',
          n,
          predictionsDigest: predictions.digest,
          datasetDigest,
          wasmDigest,
          edgeBuild,
        },
      },
    },
    select: { id: true },
  });
  const score = input.score ?? undefined; // what was reported before stays when it does not come again
  const { experiment, ...run } = await tx.run.update({
    where: { id: runId },
    data: { status: 'SUCCEEDED', progress: 1, score, finishedAt: now, leaseExpiresAt: null },
    select: { score: true, experiment: { select: { search: true } } },
  });
  if (run.score !== null) {
    await standOnAllRungs(tx, { runId, score: run.score, rungs: rungsOfSearch(experiment.search) });
    await keepBest(tx, runId);
  }
  return { modelVersionId: version.id };
}

/** The experiment's best run is this one, unless the one before is better, or as good and an earlier trial. */
async function keepBest(tx: Prisma.TransactionClient, runId: string): Promise<void> {
  await tx.$executeRaw`
    UPDATE "Experiment" e SET "bestRunId" = r.id FROM "Run" r
    WHERE r.id = ${runId}::uuid AND e.id = r."experimentId" AND NOT EXISTS (
      SELECT FROM "Run" b WHERE b.id = e."bestRunId" AND (
        CASE WHEN e.objective IN ('ACCURACY', 'F1_MACRO') THEN b.score > r.score ELSE b.score < r.score END
        OR (b.score = r.score AND b.trial < r.trial)))`;
}

/** Everything that can be wrong without the run being stale. @throws UserError */
async function check(deps: Deps, projectId: string, input: Input): Promise<Publication> {
  const { prisma } = deps;
  const artifact = await usableUpload(prisma, { id: input.artifactToken, projectId }, ['artifactToken']);
  const predictions = await usableUpload(prisma, { id: input.predictionsToken, projectId }, ['predictionsToken']);
  const promised = input.manifest.artifact;
  if (promised.digest !== artifact.digest || promised.byteLength !== artifact.byteLength)
    throw new UserError(
      'DIGEST_DIFFERS',
      `The manifest promises ${promised.digest} (${promised.byteLength} bytes), ` +
        `the upload is ${artifact.digest} (${artifact.byteLength} bytes).`,
      ['manifest', 'artifact', 'digest'],
    );
  const run = await prisma.run.findUniqueOrThrow({
    where: { id: input.runId },
    select: { spec: true, experiment: { select: { datasetVersion: true } } },
  });
  const spec = RunSpec.parse(run.spec);
  checkManifest(spec, input.manifest);
  const n = await countPredictions(deps, predictions, input.manifest, run.experiment.datasetVersion);
  return { artifact, predictions, n, datasetDigest: spec.datasetDigest };
}

function checkManifest(spec: RunSpec, manifest: Manifest): void {
  const used = manifest.columns
    .filter((column) => column.used)
    .map(({ name, kind, shape, vocabulary, maxLength }) => ({ name, kind, shape, vocabulary, maxLength }));
  const pairs: [string, unknown, unknown][] = [
    ['task', spec.task, manifest.task],
    ['target', spec.target, manifest.target],
    ['classes', spec.classes, manifest.classes],
    ['positiveClass', spec.positiveClass, manifest.positiveClass],
    ['columns', spec.features, used],
    ['output', spec.task === 'REGRESSION' ? 'value' : 'probabilities', manifest.output],
    ['threshold', spec.task === 'BINARY', manifest.threshold !== null],
  ];
  for (const [field, expected, came] of pairs)
    if (canonicalJson(expected) !== canonicalJson(came))
      throw new UserError(
        'MANIFEST_DIFFERS',
        `manifest.${field} does not fit the run: expected ${canonicalJson(expected)}, got ${canonicalJson(came)}.`,
        ['manifest', field],
      );
}

/** The tolerance of the coarsest engine (GPU, TFJS); a trainer cannot grant itself a wider one. */
const MAX_TOLERANCE = 1e-3;
/** REGRESSION is compared standardised; fifty standard deviations from the mean is beyond any sane target. */
const MAX_STANDARDISED = 50;

/**
 * The last gate. The trainer has compared row by row; here only what no row can excuse is refused, because the largest
 * difference comes without the value that it belongs to: |a-b| <= t + t|b|, |b| at most 1 for probabilities.
 */
function checkParity({ parity, manifest }: Input): void {
  const { tolerance, maxAbsDiff } = parity;
  const allowed = tolerance * (1 + (manifest.task === 'REGRESSION' ? MAX_STANDARDISED : 1));
  if (tolerance <= MAX_TOLERANCE && maxAbsDiff <= allowed) return;
  throw new UserError(
    'PARITY_FAILED',
    `Training engine and edge differ by ${maxAbsDiff} at a tolerance of ${tolerance}; ` +
      `at most ${allowed} is published, at a tolerance of at most ${MAX_TOLERANCE}.`,
    ['parity'],
  );
}

/** Predictions of every held-out row, each once; answers how many. */
async function countPredictions(
  deps: Deps,
  upload: CompleteUpload,
  manifest: Manifest,
  version: DatasetVersion,
): Promise<number> {
  const file = readPredictions(await deps.blobs.read(upload.digest));
  const expected = StoredSplit.parse(version.split).counts.TEST;
  const distinct = new Set(file.rows).size;
  const fits =
    file.kind === 'CLASSES'
      ? canonicalJson(file.classes) === canonicalJson(manifest.classes) &&
        file.probabilities.length === expected &&
        file.labels.length === expected
      : manifest.classes === null && file.values.length === expected;
  if (fits && file.rows.length === expected && distinct === expected) return expected;
  throw new UserError(
    'PREDICTIONS_DIFFER',
    `Expected one prediction for each of the ${expected} held-out rows and the classes of the manifest; ` +
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
