/** The verb rollBack: one more revision that serves what an earlier one served. */
import { z } from 'zod';
import type { Deps } from '../deps.ts';
import { notFound, UserError } from '../errors.ts';
import type { Prisma } from '../generated/prisma/client.ts';
import { addRevision, nextRevision, type RevisionContent, readRevision, readRevisions } from './endpoint.ts';
import { IdempotencyKey, idempotent } from './idempotency.ts';
import { served } from './served.ts';

/** Input of {@link rollBack}. */
export const RollBackInput = z.object({
  endpoint: z.string(),
  revision: z.int().min(1).nullish(),
  idempotencyKey: IdempotencyKey,
});

/** Serves again what an earlier revision served; returns when the edge does. @throws UserError */
export async function rollBack(
  deps: Deps,
  projectId: string,
  input: z.output<typeof RollBackInput>,
): Promise<{ endpointId: string }> {
  const { endpoint: name } = input;
  const { id } = await idempotent(deps, { projectId, mutation: 'rollBack', input }, async (tx) => {
    const next = await nextRevision(tx, { projectId, name });
    if (!next) throw notFound('Endpoint', ['endpoint']);
    return await repeatRevision(tx, next, input.revision);
  });
  return await served(deps, name, id);
}

/**
 * Writes a revision with the variants and shadows of an earlier one: of that number, or of the newest whose variants
 * are others than now. Keys, settings and delivery stay as they are. Answers its id. @throws UserError
 */
export async function repeatRevision(
  tx: Prisma.TransactionClient,
  next: { id: string; revision: number },
  earlier?: number | null,
  reason: 'ROLL_BACK' | 'GUARDRAIL' = 'ROLL_BACK',
): Promise<string> {
  const { id: endpointId, revision: number } = next;
  const repeats = earlier ?? (await newestOther(tx, next));
  const content = repeats < number ? await readRevision(tx, endpointId, { number: repeats }) : undefined;
  if (!content)
    throw new UserError('NOT_FOUND', `The endpoint has no revision ${repeats}: expected one of 1 to ${number - 1}.`, [
      'revision',
    ]);
  if (content.variants.length === 0)
    throw new UserError(
      'NOT_DEPLOYED',
      `Revision ${repeats} has no variants: the endpoint was undeployed then. Name another revision, or undeploy.`,
      ['revision'],
    );
  const { variants, shadows } = content;
  return await addRevision(tx, { endpointId, number, reason, repeats, variants, shadows });
}

/** Revisions that are looked through at a time. */
const PAGE = 100;

/** Number of the newest revision that serves something else than the one before `next`. @throws UserError */
async function newestOther(
  tx: Prisma.TransactionClient,
  { id, revision }: { id: string; revision: number },
): Promise<number> {
  let same: string | undefined;
  for (let before = revision; before > 1; ) {
    const page = await readRevisions(tx, id, { before, take: PAGE });
    const [newest] = page;
    if (newest) same ??= sharesOf(newest);
    const other = page.find((earlier) => earlier.variants.length > 0 && sharesOf(earlier) !== same);
    if (other) return other.number;
    before = page.at(-1)?.number ?? 0;
  }
  throw new UserError('NOTHING_TO_ROLL_BACK', 'No earlier revision served anything else.', ['endpoint']);
}

/** Equal for variants with equal shares, however they are written. */
function sharesOf({ variants }: Pick<RevisionContent, 'variants'>): string {
  const total = variants.reduce((sum, { weight }) => sum + weight, 0);
  return variants
    .map(({ modelVersionId, weight }) => `${modelVersionId} ${(weight / total).toPrecision(9)}`)
    .sort()
    .join();
}
