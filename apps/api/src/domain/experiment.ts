/** Experiments: a question to a dataset version, asked together with the runs that answer it. */
import type { RunSpec } from '@anneal/trainer/contract';
import { z } from 'zod';
import { type Caller, projectOf } from '../context.ts';
import type { Deps } from '../deps.ts';
import { notFound, UserError } from '../errors.ts';
import type { Prisma } from '../generated/prisma/client.ts';
import { digestOf } from './canonical.ts';
import { StoredColumns, StoredSplit } from './dataset-columns.ts';
import { IdempotencyKey, idempotent } from './idempotency.ts';
import { globalId } from './ids.ts';
import { completeSpec, type SpecData, SpecInput, sizeOfNetwork } from './run-spec.ts';
import { planSearch, SearchInput } from './search.ts';

/** zod: the name of a model, which stands in URLs. */
export const ModelName = z
  .string()
  .regex(/^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/, 'expected 1-63 of letters, digits, ".", "_" and "-"');

/** Input of {@link createExperiment}. */
export const CreateExperimentInput = SpecInput.extend({
  search: SearchInput.nullish(),
  name: z.string().trim().min(1).max(200),
  datasetVersionId: globalId('DatasetVersion'),
  modelName: ModelName.nullish(),
  idempotencyKey: IdempotencyKey,
});

/** Rows of one INSERT: a spec names every column of its table, so a thousand can be large. */
const INSERT_ROWS = 100;

/** The experiment and its runs, queued, in one transaction: a question is never without an attempt to answer it. */
export async function createExperiment(
  deps: Deps,
  caller: Caller,
  input: z.output<typeof CreateExperimentInput>,
): Promise<{ experimentId: string }> {
  const projectId = projectOf(caller);
  const data = await readData(deps, projectId, input.datasetVersionId);
  const { search, runs, spec } = plan(data, input);
  const name = input.modelName ?? slug(input.name);
  const { id, created } = await idempotent(deps, { projectId, mutation: 'createExperiment', input }, async (tx) => {
    const model = await tx.model.upsert({
      where: { projectId_name: { projectId, name } },
      create: { projectId, name },
      update: {},
    });
    const { datasetVersionId } = input;
    const { task, objective } = spec;
    const question = { projectId, datasetVersionId, modelId: model.id, name: input.name, task, objective, search };
    const { id: experimentId } = await tx.experiment.create({ data: question, select: { id: true } });
    for (let i = 0; i < runs.length; i += INSERT_ROWS)
      await tx.run.createMany({
        data: runs.slice(i, i + INSERT_ROWS).map((run) => ({ ...run, projectId, experimentId })),
      });
    return experimentId;
  });
  // One piece of news wakes every trainer that waits; those that miss it look by themselves.
  if (created) await deps.pubsub.publish('queue', id);
  return { experimentId: id };
}

/** The runs to queue: one, or the trials of a search; and the spec of the first, for what all have in common. */
function plan(data: SpecData, { search, ...input }: z.output<typeof CreateExperimentInput>) {
  if (!search) {
    const spec = completeSpec(data, input);
    return { spec, runs: [rowOf(data, spec)] };
  }
  const planned = planSearch(data, input, search);
  const [first] = planned.trials;
  if (!first) throw new UserError('INVALID_INPUT', 'The search has no trials.', ['search']);
  const runs = planned.trials.map(({ number, params, spec }) => ({ ...rowOf(data, spec), trial: number, params }));
  return { spec: first.spec, search: planned.search, runs };
}

function rowOf(data: SpecData, spec: RunSpec): Omit<Prisma.RunCreateManyInput, 'projectId' | 'experimentId'> {
  const { parameterCount, flops } = sizeOfNetwork(data, spec);
  return { seed: spec.seed, spec, specDigest: digestOf(spec), parameterCount, flops };
}

async function readData(deps: Deps, projectId: string, id: string): Promise<SpecData> {
  const version = await deps.prisma.datasetVersion.findFirst({ where: { id, dataset: { projectId } } });
  if (!version) throw notFound('DatasetVersion', ['datasetVersionId']);
  const { digest, target, task, tasks, classes } = version;
  const columns = StoredColumns.parse(version.columns);
  const { TRAIN: trainRows, VALIDATION: validationRows } = StoredSplit.parse(version.split).counts;
  return { digest, target, task, tasks, classes, columns, trainRows, validationRows };
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
