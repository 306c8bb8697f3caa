/** Which versions may share an endpoint: those of the project that answer the same question. */
import { Manifest, TensorManifest } from '@anneal/edge/contract';
import { z } from 'zod';
import { notFound, UserError } from '../errors.ts';
import type { Prisma } from '../generated/prisma/client.ts';

/** What a version is served by. */
export const AnyManifest = z.union([Manifest, TensorManifest]);
export type AnyManifest = z.infer<typeof AnyManifest>;

/** A version that an endpoint is to have, and the input field that named it. */
export interface NamedVersion {
  modelVersionId: string;
  field: string[];
}

/**
 * All of the project, none twice, and answers to one question: callers must not get labels here and numbers there.
 * Answers their manifests, in order. @throws UserError NOT_FOUND, DUPLICATE_VARIANT, VARIANTS_DIFFER
 */
export async function checkVariants(
  tx: Prisma.TransactionClient,
  projectId: string,
  versions: readonly NamedVersion[],
): Promise<AnyManifest[]> {
  const found = await tx.modelVersion.findMany({
    where: { id: { in: versions.map(({ modelVersionId }) => modelVersionId) }, model: { projectId } },
    select: { id: true, manifest: true },
  });
  const byId = new Map(found.map(({ id, manifest }) => [id, AnyManifest.parse(manifest)]));
  const seen = new Set<string>();
  const manifests: AnyManifest[] = [];
  for (const { modelVersionId, field } of versions) {
    const manifest = byId.get(modelVersionId);
    if (!manifest) throw notFound('ModelVersion', field);
    if (seen.has(modelVersionId))
      throw new UserError(
        'DUPLICATE_VARIANT',
        'The version is listed twice: give it once, with the sum of weights; no version is its own shadow.',
        field,
      );
    seen.add(modelVersionId);
    manifests.push(manifest);
    const [question, first] = [questionOf(manifest), questionOf(manifests[0] ?? manifest)];
    if (question !== first)
      throw new UserError(
        'VARIANTS_DIFFER',
        `All versions of an endpoint must predict the same: this one is ${question}, the first ${first}.`,
        field,
      );
  }
  return manifests;
}

/** Logged columns must be columns of every version. @throws UserError UNKNOWN_COLUMN */
export function checkLogged(logged: readonly string[], manifests: readonly AnyManifest[], field: string[]): void {
  for (const [i, column] of logged.entries())
    for (const manifest of manifests) {
      if ('kind' in manifest)
        throw new UserError('UNKNOWN_COLUMN', 'A version that takes tensors has no columns to log.', field);
      if (manifest.columns.some(({ name }) => name === column)) continue;
      const some = [...manifest.columns.slice(0, 10).map(({ name }) => name), ...(manifest.columns[10] ? ['...'] : [])];
      throw new UserError('UNKNOWN_COLUMN', `No column is named "${column}": expected some of ${some.join(', ')}.`, [
        ...field,
        String(i),
      ]);
    }
}

/** What is asked of a version, in words that are equal for equal questions. */
function questionOf(manifest: AnyManifest): string {
  if (!('kind' in manifest)) {
    const { task, target, classes } = manifest;
    return `${task} of "${target}"${classes ? ` (${listOf(classes)})` : ''}`;
  }
  const tensors = (of: readonly Pick<TensorManifest['inputs'][number], 'name' | 'datatype' | 'shape'>[]) =>
    of.map(({ name, datatype, shape }) => `${name} ${datatype}[${shape}]`).join(', ');
  return `tensors (${tensors(manifest.inputs)}) to (${tensors(manifest.outputs)})`;
}

const listOf = (classes: readonly string[]) => classes.map((name) => JSON.stringify(name)).join(', ');
