/** What an installation has before anyone calls it: the default project, its admin key and the two service keys. */
import type { Scope } from '@anneal/edge/contract';
import type { Deps } from '../deps.ts';
import { insertKey, sha256OfKey } from './auth.ts';
import { repeatRevisions } from './endpoint.ts';

/** Name of the project that the bootstrap admin key belongs to. */
export const DEFAULT_PROJECT = 'default';

/** Ensures them; may run at every start and in several processes at once. */
export async function bootstrap(
  deps: Pick<Deps, 'prisma'>,
  keys: { admin: string; trainer: string; edge: string },
): Promise<{ projectId: string }> {
  const project = await deps.prisma.project.upsert({
    where: { name: DEFAULT_PROJECT },
    create: { name: DEFAULT_PROJECT },
    update: {},
  });
  await ensureKey(deps, { projectId: project.id, name: 'bootstrap admin', scopes: ['admin'], secret: keys.admin });
  await ensureKey(deps, { projectId: null, name: 'trainer service', scopes: ['train'], secret: keys.trainer });
  await ensureKey(deps, { projectId: null, name: 'edge service', scopes: ['edge'], secret: keys.edge });
  return { projectId: project.id };
}

/** A key that was revoked stays revoked: a restart must not undo it. */
async function ensureKey(
  deps: Pick<Deps, 'prisma'>,
  key: { projectId: string | null; name: string; scopes: Scope[]; secret: string },
): Promise<void> {
  await deps.prisma.$transaction(async (tx) => {
    await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtext('anneal bootstrap'))`;
    const found = await tx.apiKey.findUnique({ where: { sha256: sha256OfKey(key.secret) } });
    if (found) return;
    await insertKey(tx, key);
    if (key.projectId) await repeatRevisions(tx, key.projectId); // pushed by the pusher, which starts after us
  });
}
