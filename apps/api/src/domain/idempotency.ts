/** Idempotency keys: a create that is sent twice makes one object. */
import { z } from 'zod';
import type { Deps } from '../deps.ts';
import { UserError } from '../errors.ts';
import type { Prisma } from '../generated/prisma/client.ts';
import { digestOf } from './canonical.ts';

/** zod: the input field of creates. */
export const IdempotencyKey = z.string().min(1).max(200).nullish();

/** What one create is: whose, which, under which key, with what. */
export interface Creation {
  projectId: string;
  mutation: string;
  input: { idempotencyKey?: string | null };
}

/**
 * Runs `create` in a transaction and answers the new object's id; under a key that was used before, the old object's.
 * @throws UserError IDEMPOTENCY_KEY_REUSED when the key came with other input.
 */
export async function idempotent(
  deps: Pick<Deps, 'prisma'>,
  { projectId, mutation, input }: Creation,
  create: (tx: Prisma.TransactionClient) => Promise<string>,
): Promise<{ id: string; created: boolean }> {
  const { idempotencyKey: key, ...rest } = input;
  const inputHash = digestOf(rest);
  return await deps.prisma.$transaction(async (tx) => {
    if (key == null) return { id: await create(tx), created: true };
    // Two creates under one key at once: the second waits here and finds what the first made.
    await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${`${projectId}/${mutation}/${key}`}, 0))`;
    const before = await tx.idempotency.findUnique({
      where: { projectId_mutation_key: { projectId, mutation, key } },
    });
    if (before && before.inputHash !== inputHash)
      throw new UserError(
        'IDEMPOTENCY_KEY_REUSED',
        `This key came with another ${mutation} before: send the same input, or a new key.`,
        ['idempotencyKey'],
      );
    if (before) return { id: before.objectId, created: false };
    const objectId = await create(tx);
    await tx.idempotency.create({ data: { projectId, mutation, key, inputHash, objectId } });
    return { id: objectId, created: true };
  });
}
