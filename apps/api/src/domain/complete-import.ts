/** The end of an import: the model that came, as the edge serves it, with what was found and changed. */
import type { Manifest } from '@anneal/edge/contract';
import { IMPORT_THRESHOLD, ImportSpec } from '@anneal/trainer/contract';
import type { z } from 'zod';
import type { Caller } from '../context.ts';
import { ImportReport } from '../contract.ts';
import type { Deps } from '../deps.ts';
import { UserError } from '../errors.ts';
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
import { AnyManifest } from './variants.ts';

/** Input of {@link completeImport}. */
export const CompleteImportInput = CompletionInput.extend({
  manifest: AnyManifest,
  report: ImportReport,
  predictionsToken: globalId('Upload').nullish(),
});
type Input = z.output<typeof CompleteImportInput>;

/** The import becomes the next version of its model; see {@link publish}. @throws UserError */
export async function completeImport(deps: Deps, caller: Caller, input: Input): Promise<{ modelVersionId: string }> {
  const { projectId } = await trainableRun(deps, caller, input.runId);
  return await publish(deps, input, { check: () => check(deps, projectId, input) });
}

async function check(deps: Deps, projectId: string, input: Input): Promise<Publication> {
  const { manifest, report, predictionsToken } = input;
  const artifact = await usableArtifact(deps, projectId, input);
  const run = await deps.prisma.run.findUniqueOrThrow({
    where: { id: input.runId },
    select: { kind: true, spec: true, datasetVersion: { select: { split: true } } },
  });
  checkKind(run, 'IMPORT');
  const spec = ImportSpec.parse(run.spec);
  if (report.sourceDigest !== spec.source.digest)
    throw new UserError(
      'DIGEST_DIFFERS',
      `The report is of ${report.sourceDigest}, to be imported was ${spec.source.digest}.`,
      ['report', 'sourceDigest'],
    );
  const takesRows = spec.preprocessing !== null || spec.data !== null;
  checkPairs([['kind', takesRows ? null : 'TENSORS', 'kind' in manifest ? manifest.kind : null]]);
  if (!('kind' in manifest)) checkManifest(spec, manifest);
  const made = { artifact, parity: null, imported: report };
  if (!spec.data || !run.datasetVersion) {
    if (predictionsToken) throw unexpected('no dataset version was named, so there are no rows to predict');
    return { ...made, held: null };
  }
  if (!predictionsToken) throw unexpected('a dataset version was named: predict its held-out rows');
  const classes = 'kind' in manifest ? null : manifest.classes;
  const data = { split: run.datasetVersion.split, digest: spec.data.datasetDigest };
  const held = await usablePredictions(deps, { id: predictionsToken, projectId }, { classes, data });
  return { ...made, held };
}

const unexpected = (why: string) => new UserError('PREDICTIONS_DIFFER', `Predictions: ${why}.`, ['predictionsToken']);

/** Classes may stand in the model's order; which they are, the data say. */
function checkManifest({ preprocessing, labels, data, ...spec }: ImportSpec, manifest: Manifest): void {
  const positiveClass = spec.positiveClass ?? data?.positiveClass;
  const threshold = manifest.task === 'BINARY' ? (spec.threshold ?? IMPORT_THRESHOLD) : null;
  const used = manifest.columns.filter((column) => column.used).map(({ name }) => name);
  const classes = labels ?? data?.classes?.toSorted();
  const came = labels ? manifest.classes : manifest.classes?.toSorted();
  checkPairs([
    ...(preprocessing ? [['columns', preprocessing.columns.toSorted(), used.toSorted()] as const] : []),
    ...(classes ? [['classes', classes, came] as const] : []),
    ...(data ? [['task', data.task, manifest.task] as const, ['target', data.target, manifest.target] as const] : []),
    ...(positiveClass ? [['positiveClass', positiveClass, manifest.positiveClass] as const] : []),
    ['threshold', threshold, manifest.threshold],
  ]);
}
