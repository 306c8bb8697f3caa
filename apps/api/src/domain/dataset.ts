/** Data sets: a name under which immutable versions are committed. */
import { z } from 'zod';
import { type Caller, projectOf } from '../context.ts';
import type { Deps } from '../deps.ts';
import { IdempotencyKey, idempotent } from './idempotency.ts';

/** Input of {@link createDataset}. */
export const CreateDatasetInput = z.object({
  name: z.string().trim().min(1).max(200),
  description: z.string().trim().max(2000).nullish(),
  idempotencyKey: IdempotencyKey,
});

/** A data set without versions yet. Names need not be unique: the id is what counts. */
export async function createDataset(
  deps: Deps,
  caller: Caller,
  input: z.output<typeof CreateDatasetInput>,
): Promise<{ datasetId: string }> {
  const projectId = projectOf(caller);
  const { name, description } = input;
  const { id } = await idempotent(deps, { projectId, mutation: 'createDataset', input }, async (tx) => {
    const dataset = await tx.dataset.create({ data: { projectId, name, description: description || null } });
    return dataset.id;
  });
  return { datasetId: id };
}
