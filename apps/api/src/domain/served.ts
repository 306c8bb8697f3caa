/** What a verb that wrote a revision answers: the endpoint, once the edge serves it. */
import type { Deps } from '../deps.ts';
import { UserError } from '../errors.ts';
import { awaitAcknowledgement } from './edge-push.ts';

/** Waits until the edge serves the revision or a newer one. @throws UserError EDGE_REFUSED, EDGE_UNREACHABLE */
export async function served(deps: Deps, name: string, revisionId: string): Promise<{ endpointId: string }> {
  const { endpointId, number } = await deps.prisma.endpointRevision.findUniqueOrThrow({ where: { id: revisionId } });
  const answer = await awaitAcknowledgement(deps, { id: endpointId, revision: number });
  if (answer.acknowledged) return { endpointId };
  const what = `Revision ${number} of endpoint "${name}" is stored, but the edge does not serve it yet`;
  if (answer.refused)
    throw new UserError(
      'EDGE_REFUSED',
      `${what}: ${answer.reason}. Check that API and edge share EDGE_ADMIN_SECRET and this installation's database; ` +
        'the API tries again from time to time.',
    );
  throw new UserError(
    'EDGE_UNREACHABLE',
    `${what}: ${answer.reason}. Check that the edge runs and that EDGE_URL (${deps.edge.url}) is its address; ` +
      'the API keeps trying, there is no need to deploy again.',
  );
}
