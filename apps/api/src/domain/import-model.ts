/**
 * Importing a model that was made elsewhere: a run like any other, whose worker checks, converts and probes the file.
 * Here it is queued, with all that decides its outcome, and waited for. What the file holds, only the worker reads.
 */
import { Datatype } from '@anneal/edge/contract';
import { type Feature, ImportPreprocessing, type ImportSpec, type Task } from '@anneal/trainer/contract';
import { z } from 'zod';
import { type Caller, projectOf } from '../context.ts';
import type { Deps } from '../deps.ts';
import { notFound, UserError, type UserErrorShape } from '../errors.ts';
import type { DatasetVersion } from '../generated/prisma/client.ts';
import { digestOf } from './canonical.ts';
import { type StoredColumn, StoredColumns } from './dataset-columns.ts';
import { ModelName } from './experiment.ts';
import { IdempotencyKey, idempotent } from './idempotency.ts';
import { globalId } from './ids.ts';
import { followRun } from './run.ts';
import { usableUpload } from './upload.ts';

/** How long the caller waits, unless told otherwise; a small model takes a second or two. */
const WAIT_SECONDS = 60;
/** Ten times what the edge can hold: nothing above is worth a download, let alone a trial. */
const MAX_BYTES = 256 << 20;

const Name = z.string().min(1).max(200);
const PROBABILITY = 'expected a probability, 0 to 1';
const Tensors = z
  .array(z.object({ name: Name, datatype: Datatype, shape: z.array(z.int().min(-1)).max(16) }))
  .min(1)
  .max(64)
  .nullish();
const Numbers = z.array(z.number()).min(1).max(100_000).nullish();

/** Input of {@link importModelVersion}. */
export const ImportModelVersionInput = z.object({
  modelName: ModelName,
  uploadToken: globalId('Upload'),
  signature: z.object({ inputs: Tensors, outputs: Tensors }).nullish(),
  labels: z.array(Name).min(2, 'expected at least two classes').max(100_000).nullish(),
  positiveClass: Name.nullish(),
  threshold: z.number().min(0, PROBABILITY).max(1, PROBABILITY).nullish(),
  preprocessing: z
    .object({
      columns: z.array(Name).min(1).max(10_000),
      input: Name.nullish(),
      output: Name.nullish(),
      mean: Numbers,
      scale: Numbers,
      activation: ImportPreprocessing.shape.activation.nullish(),
    })
    .nullish(),
  evaluateOn: globalId('DatasetVersion').nullish(),
  waitSeconds: z.number().min(0).max(WAIT_SECONDS).nullish(),
  idempotencyKey: IdempotencyKey,
});
type Input = z.output<typeof ImportModelVersionInput>;

/** The run; the version once there is one; why there is none, if it has ended without. */
export interface Imported {
  runId: string;
  modelVersionId: string | null;
  userErrors: UserErrorShape[];
}

/** Queues the import and waits for its end, for a time. @throws UserError before anything is queued */
export async function importModelVersion(
  deps: Deps,
  caller: Caller,
  { waitSeconds, ...input }: Input,
  signal?: AbortSignal,
): Promise<Imported> {
  const projectId = projectOf(caller);
  const spec = await completeSpec(deps, projectId, input);
  const { modelName: name, evaluateOn: datasetVersionId } = input;
  const { id, created } = await idempotent(deps, { projectId, mutation: 'importModelVersion', input }, async (tx) => {
    const model = await tx.model.upsert({
      where: { projectId_name: { projectId, name } },
      create: { projectId, name },
      update: {},
    });
    const row = { projectId, kind: 'IMPORT', modelId: model.id, datasetVersionId, seed: 0, spec } as const;
    return (await tx.run.create({ data: { ...row, specDigest: digestOf(spec) }, select: { id: true } })).id;
  });
  if (created) await deps.pubsub.publish('queue', id);
  const time = AbortSignal.timeout((waitSeconds ?? WAIT_SECONDS) * 1000);
  const over = signal ? AbortSignal.any([signal, time]) : time;
  for await (const _ of followRun(deps, caller, id, over)); // until it has ended, or nobody waits any more
  return await outcome(deps, id);
}

async function outcome(deps: Deps, runId: string): Promise<Imported> {
  const run = await deps.prisma.run.findUniqueOrThrow({
    where: { id: runId },
    select: { status: true, errorCode: true, errorMessage: true, modelVersion: { select: { id: true } } },
  });
  const imported = { runId, modelVersionId: run.modelVersion?.id ?? null };
  const failed = (code: string, message: string) => ({
    ...imported,
    userErrors: [{ code, message, field: [...(FIELDS[code] ?? ['uploadToken'])] }],
  });
  if (run.status === 'FAILED') return failed(run.errorCode ?? 'FAILED', run.errorMessage ?? '');
  if (run.status === 'CANCELED') return failed('CANCELED', 'The import was canceled: retryRun queues it again.');
  return { ...imported, userErrors: [] };
}

/** The input field at fault by the run's error code, where it is not the file. */
const FIELDS: Record<string, readonly string[]> = {
  SIGNATURE_DIFFERS: ['signature'],
  LABELS_DIFFER: ['labels'],
  COLUMNS_DIFFER: ['preprocessing', 'columns'],
};

/** Everything that the worker needs to know beside the bytes. @throws UserError */
async function completeSpec(deps: Deps, projectId: string, input: Omit<Input, 'waitSeconds'>): Promise<ImportSpec> {
  const { signature, labels, preprocessing: given, evaluateOn } = input;
  const upload = await usableUpload(deps.prisma, { id: input.uploadToken, projectId }, ['uploadToken']);
  if (upload.byteLength > MAX_BYTES)
    throw new UserError(
      'TOO_LARGE_FOR_EDGE',
      `"${upload.filename}" has ${upload.byteLength} bytes, models of more than ${MAX_BYTES} are not even tried.`,
      ['uploadToken'],
    );
  if (new Set(labels).size < (labels?.length ?? 0))
    throw new UserError('INVALID_INPUT', 'Two labels are equal: each class needs a name of its own.', ['labels']);
  checkDecision(input);
  const preprocessing: ImportSpec['preprocessing'] = given
    ? {
        columns: given.columns,
        input: given.input ?? null,
        output: given.output ?? null,
        mean: given.mean ?? null,
        scale: given.scale ?? null,
        activation: given.activation ?? 'NONE',
      }
    : null;
  if (preprocessing) checkPreprocessing(preprocessing);
  const { filename, digest, byteLength } = upload;
  return {
    formatVersion: 1,
    kind: 'IMPORT',
    source: { digest, byteLength, filename },
    signature: signature ? { inputs: signature.inputs ?? null, outputs: signature.outputs ?? null } : null,
    labels: labels ?? null,
    positiveClass: input.positiveClass ?? null,
    threshold: input.threshold ?? null,
    preprocessing,
    data: evaluateOn ? await dataOf(deps, projectId, evaluateOn, { labels, preprocessing }) : null,
  };
}

/** What the caller alone can have got wrong; whether the model has those classes, the worker finds out. */
function checkDecision({
  labels,
  positiveClass,
  threshold,
  preprocessing,
  evaluateOn,
}: Omit<Input, 'waitSeconds'>): void {
  const field = positiveClass ? 'positiveClass' : 'threshold';
  if (!preprocessing && !evaluateOn && (positiveClass || typeof threshold === 'number'))
    throw new UserError(
      'INVALID_INPUT',
      'A version that takes and gives tensors answers no label: give preprocessing or evaluateOn with it.',
      [field],
    );
  if (positiveClass && labels && !labels.includes(positiveClass))
    throw new UserError('INVALID_INPUT', `"${positiveClass}" is none of the labels ${labels.join(', ')}.`, [
      'positiveClass',
    ]);
}

function checkPreprocessing({ columns, mean, scale }: ImportPreprocessing): void {
  const at = (...field: string[]) => ['preprocessing', ...field];
  const twice = columns.findIndex((name, i) => columns.indexOf(name) < i);
  if (twice >= 0)
    throw new UserError('INVALID_INPUT', `"${columns[twice]}" is listed twice.`, at('columns', String(twice)));
  for (const [field, numbers] of [['mean', mean] as const, ['scale', scale] as const]) {
    if (numbers && numbers.length !== 1 && numbers.length !== columns.length)
      throw new UserError(
        'INVALID_INPUT',
        `Expected one number for all columns or one for each of the ${columns.length}, got ${numbers.length}.`,
        at(field),
      );
    const zero = field === 'scale' ? (numbers?.indexOf(0) ?? -1) : -1;
    if (zero >= 0) throw new UserError('INVALID_INPUT', 'Nothing can be divided by 0.', at(field, String(zero)));
  }
}

type Meaning = { labels: string[] | null | undefined; preprocessing: ImportSpec['preprocessing'] };

/** What is known of the data that it is evaluated on. @throws UserError where labels or columns are not of the data */
async function dataOf(deps: Deps, projectId: string, id: string, meaning: Meaning): Promise<ImportSpec['data']> {
  const version = await deps.prisma.datasetVersion.findFirst({ where: { id, dataset: { projectId } } });
  if (!version) throw notFound('DatasetVersion', ['evaluateOn']);
  const task = taskOf(version, meaning.labels);
  const classes = task === 'REGRESSION' ? null : version.classes;
  const features = StoredColumns.parse(version.columns).flatMap(featureOf);
  for (const [i, name] of (meaning.preprocessing?.columns ?? []).entries())
    if (!features.some((feature) => feature.name === name)) throw unknownColumn(name, i, features);
  const positiveClass = task === 'BINARY' ? (classes?.at(-1) ?? null) : null;
  return { datasetDigest: version.digest, task, target: version.target, classes, positiveClass, features };
}

/** @throws UserError LABELS_DIFFER: classes are compared by name, so the names must be those of the data. */
function taskOf({ task, tasks, target, classes }: DatasetVersion, labels: string[] | null | undefined): Task {
  if (!labels) return task;
  const classification = tasks.find((possible) => possible !== 'REGRESSION');
  const same = labels.length === classes.length && labels.every((label) => classes.includes(label));
  if (classification && same) return classification;
  const named = (names: string[]) =>
    names
      .slice(0, 20)
      .map((name) => `"${name}"`)
      .join(', ');
  throw new UserError(
    'LABELS_DIFFER',
    classification
      ? `Expected the classes of "${target}" in the model's order: ${named(classes)}; got ${named(labels)}.`
      : `"${target}" is a number: leave out labels, or evaluate on a version whose target has classes.`,
    ['labels'],
  );
}

function featureOf({ name, kind, role, shape, vocabulary, maxLength }: StoredColumn): Feature[] {
  if (role === 'TARGET') return [];
  if (kind === 'TENSOR' && shape) return [{ name, kind, shape }];
  if (kind === 'TOKENS' && vocabulary && maxLength) return [{ name, kind, vocabulary, maxLength }];
  return kind === 'NUMERIC' || kind === 'CATEGORICAL' ? [{ name, kind }] : [];
}

function unknownColumn(name: string, i: number, features: readonly Feature[]): UserError {
  const some = features.slice(0, 20).map((feature) => `"${feature.name}"`);
  const names = some.join(', ') + (features.length > some.length ? ', ...' : '');
  const message = `The dataset version has no column "${name}" that a model can read: expected some of ${names}.`;
  return new UserError('COLUMNS_DIFFER', message, ['preprocessing', 'columns', String(i)]);
}
