/** Projects: the owners of everything else. */
import { z } from 'zod';
import type { Deps } from '../deps.ts';
import { UserError } from '../errors.ts';
import { insertKey } from './auth.ts';
import { isUniqueViolation } from './rows.ts';

/** Input of {@link createProject}. */
export const CreateProjectInput = z.object({
  name: z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'expected 1-63 of a-z, 0-9 and -'),
});

/** A project and its first key, in one transaction: a project without a key could never be reached. */
export async function createProject(
  deps: Deps,
  input: z.output<typeof CreateProjectInput>,
): Promise<{ projectId: string; secret: string }> {
  try {
    return await deps.prisma.$transaction(async (tx) => {
      const project = await tx.project.create({ data: { name: input.name } });
      const { secret } = await insertKey(tx, { projectId: project.id, name: 'admin', scopes: ['admin'] });
      return { projectId: project.id, secret };
    });
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw new UserError('NAME_TAKEN', `There is a project "${input.name}" already.`, ['name']);
  }
}
