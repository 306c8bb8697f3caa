/** Experiments: a question to a dataset version, asked together with the runs that answer it. */
import { z } from 'zod';
import { type Caller, projectOf } from '../context.ts';
import type { Deps } from '../deps.ts';
import { notFound, UserError } from '../errors.ts';
import type { Prisma } from '../generated/prisma/client.ts';
import { digestOf } from './canonical.ts';
import { StoredColumns, StoredSplit } from './dataset-columns.ts';
import { IdempotencyKey, idempotent } from './idempotency.ts';
import { globalId } from './ids.ts';
import { completeSpec, type SpecData, SpecInput } from './run-spec.ts';

const ModelName = z
  .string()
  .regex(/^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/, 'expected 1-63 of letters, digits, ".", "_" and "-"');

/** Input of {@link createExperiment}. */
export const CreateExperimentInput = SpecInput.extend({
  name: z.string().trim().min(1).max(200),
  datasetVersionId: globalId('DatasetVersion'),
  modelName: ModelName.nullish(),
  idempotencyKey: IdempotencyKey,
});

/** The experiment and its runs, queued, in one transaction: a question is never without an attempt to answer it. */
export async function createExperiment(
  deps: Deps,
  caller: Caller,
  input: z.output<typeof CreateExperimentInput>,
): Promise<{ experimentId: string }> {
  const projectId = projectOf(caller);
  const spec = completeSpec(await readData(deps, projectId, input.datasetVersionId), input);
  const name = input.modelName ?? slug(input.name);
  const { id, created } = await idempotent(deps, { projectId, mutation: 'createExperiment', input }, async (tx) => {
    const model = await tx.model.upsert({
      where: { projectId_name: { projectId, name } },
      create: { projectId, name },
      update: {},
    });
    const { datasetVersionId } = input;
    const { task, objective, seed } = spec;
    const run: Prisma.RunCreateWithoutExperimentInput = { seed, spec, specDigest: digestOf(spec) };
    const data = { projectId, datasetVersionId, modelId: model.id, name: input.name, task, objective };
    return (await tx.experiment.create({ data: { ...data, runs: { create: [run] } }, select: { id: true } })).id;
  });
  if (created) await announce(deps, id);
  return { experimentId: id };
}

async function readData(deps: Deps, projectId: string, id: string): Promise<SpecData> {
  const version = await deps.prisma.datasetVersion.findFirst({ where: { id, dataset: { projectId } } });
  if (!version) throw notFound('DatasetVersion', ['datasetVersionId']);
  const { digest, target, task, tasks, classes } = version;
  const columns = StoredColumns.parse(version.columns);
  const trainRows = StoredSplit.parse(version.split).counts.TRAIN;
  return { digest, target, task, tasks, classes, columns, trainRows };
}

/** Wakes the trainers that wait; those that miss it look by themselves. */
async function announce(deps: Deps, experimentId: string): Promise<void> {
  const runs = await deps.prisma.run.findMany({ where: { experimentId }, select: { id: true } });
  for (const { id } of runs) await deps.pubsub.publish('queue', id);
}

/** A model's name from an experiment's: "Iris, first try" -> "iris-first-try". */
export function slug(name: string): string {
  const text = name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 63)
    .replace(/-+$/, '');
  if (text) return text;
  throw new UserError('INVALID_INPUT', `No model name can be made of "${name}": give modelName.`, ['modelName']);
}
