/** The end of a training: what it brings is checked against its RunSpec, and parity is the last gate. */
import { Manifest } from '@anneal/edge/contract';
import { RunSpec } from '@anneal/trainer/contract';
import { z } from 'zod';
import type { Caller } from '../context.ts';
import { Parity } from '../contract.ts';
import type { Deps } from '../deps.ts';
import { UserError } from '../errors.ts';
import type { Prisma, Run } from '../generated/prisma/client.ts';
import { globalId } from './ids.ts';
import {
  CompletionInput,
  checkKind,
  checkPairs,
  type Publication,
  publish,
  usableArtifact,
  usablePredictions,
} from './publish.ts';
import { trainableRun } from './run-access.ts';
import { standOnAllRungs } from './rung.ts';
import { rungsOfSearch } from './search.ts';

/** Input of {@link completeRun}. */
export const CompleteRunInput = CompletionInput.extend({
  predictionsToken: globalId('Upload'),
  manifest: Manifest,
  parity: Parity,
  score: z.number().nullish(),
});
type Input = z.output<typeof CompleteRunInput>;

/** The run's artifact becomes the next version of its experiment's model; see {@link publish}. @throws UserError */
export async function completeRun(deps: Deps, caller: Caller, input: Input): Promise<{ modelVersionId: string }> {
  const { projectId } = await trainableRun(deps, caller, input.runId);
  return await publish(deps, input, { check: () => check(deps, projectId, input), settle: settleScore });
}

async function check(deps: Deps, projectId: string, input: Input): Promise<Publication> {
  checkParity(input);
  const artifact = await usableArtifact(deps, projectId, input);
  const run = await deps.prisma.run.findUniqueOrThrow({
    where: { id: input.runId },
    select: { kind: true, spec: true, experiment: { select: { datasetVersion: true } } },
  });
  checkKind(run, 'TRAIN');
  const spec = RunSpec.parse(run.spec);
  checkManifest(spec, input.manifest);
  const { id, classes } = { id: input.predictionsToken, classes: input.manifest.classes };
  const data = { split: run.experiment?.datasetVersion.split, digest: spec.datasetDigest };
  const held = await usablePredictions(deps, { id, projectId }, { classes, data });
  return { artifact, held, parity: input.parity, imported: null, score: input.score };
}

async function settleScore(tx: Prisma.TransactionClient, { id: runId, experimentId, score }: Run): Promise<void> {
  if (score === null || experimentId === null) return;
  const { search } = await tx.experiment.findUniqueOrThrow({ where: { id: experimentId }, select: { search: true } });
  await standOnAllRungs(tx, { runId, score, rungs: rungsOfSearch(search) });
  await keepBest(tx, runId);
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

function checkManifest(spec: RunSpec, manifest: Manifest): void {
  const used = manifest.columns
    .filter((column) => column.used)
    .map(({ name, kind, shape, vocabulary, maxLength }) => ({ name, kind, shape, vocabulary, maxLength }));
  checkPairs([
    ['task', spec.task, manifest.task],
    ['target', spec.target, manifest.target],
    ['classes', spec.classes, manifest.classes],
    ['positiveClass', spec.positiveClass, manifest.positiveClass],
    ['columns', spec.features, used],
    ['output', spec.task === 'REGRESSION' ? 'value' : 'probabilities', manifest.output],
    ['threshold', spec.task === 'BINARY', manifest.threshold !== null],
  ]);
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
