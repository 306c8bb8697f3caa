/** Which runs a trainer's key may work on: all with a service key, those of the own project with a project's key. */
import { type Caller, hasScope } from '../context.ts';
import type { Deps } from '../deps.ts';
import { forbidden, notFound } from '../errors.ts';

/** The project that a trainer is bound to; null = none, it works for the whole installation. @throws FORBIDDEN */
export function trainerProject(caller: Caller): string | null {
  if (caller.kind !== 'key' || !hasScope(caller, 'train')) throw forbidden('This needs the scope train.');
  return caller.projectId;
}

/** A run that the caller may train, with its project. @throws UserError NOT_FOUND */
export async function trainableRun(
  deps: Pick<Deps, 'prisma'>,
  caller: Caller,
  runId: string,
): Promise<{ id: string; projectId: string }> {
  const projectId = trainerProject(caller);
  const run = await deps.prisma.run.findFirst({
    where: { id: runId, ...(projectId && { projectId }) },
    select: { id: true, projectId: true },
  });
  if (!run) throw notFound('Run', ['runId']);
  return run;
}
