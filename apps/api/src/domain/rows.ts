/** What the database's errors and null filters mean to verbs. */
import { Prisma } from '../generated/prisma/client.ts';

/** Whether a write met a row with the same unique key. */
export function isUniqueViolation(error: unknown): boolean {
  return error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002';
}
