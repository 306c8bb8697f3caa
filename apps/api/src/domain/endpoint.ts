/** Endpoints and their revisions: the pointer that deploy moves. Revisions are only added, never changed. */
import type { EventDelivery } from '@anneal/edge/contract';
import type { Deps } from '../deps.ts';
import type { Prisma } from '../generated/prisma/client.ts';
import { awaitAcknowledgement } from './edge-push.ts';

/** Why there is a new revision. */
export type RevisionReason = 'DEPLOY' | 'UNDEPLOY' | 'KEYS';
/** A share of an endpoint's requests. */
export interface VariantShare {
  modelVersionId: string;
  weight: number;
}

/** Where clients POST instances to. */
export function predictUrl(edgeUrl: string, endpointName: string): string {
  return `${edgeUrl.replace(/\/$/, '')}/v1/endpoints/${endpointName}/predict`;
}

/**
 * Takes the next revision number of a project's endpoint of that name, and with it the endpoint's row lock until the
 * transaction ends, so that revisions are written one after the other. Undefined when the project has no such endpoint.
 */
export async function nextRevision(
  tx: Prisma.TransactionClient,
  endpoint: { projectId: string; name: string },
): Promise<{ id: string; revision: number } | undefined> {
  const [row] = await tx.endpoint.updateManyAndReturn({
    where: endpoint,
    data: { revision: { increment: 1 } },
    select: { id: true, revision: true },
  });
  return row;
}

/** A revision to be written. */
export interface NewRevision {
  endpointId: string;
  number: number;
  reason: RevisionReason;
  variants: readonly VariantShare[];
  /** As in the revision before when not given: who deploys another version does not mean to lose events. */
  events?: EventDelivery | null | undefined;
}

/** Writes a revision with its variants; answers its id. */
export async function addRevision(tx: Prisma.TransactionClient, input: NewRevision): Promise<string> {
  const { endpointId, number, reason, variants } = input;
  const before = input.events
    ? input
    : await tx.endpointRevision.findFirst({
        where: { endpointId, number: { lt: number } },
        orderBy: { number: 'desc' },
        select: { events: true },
      });
  const revision = await tx.endpointRevision.create({
    data: { endpointId, number, reason, events: before?.events ?? 'BUFFERED' },
    select: { id: true },
  });
  await tx.variant.createMany({
    data: variants.map(({ modelVersionId, weight }) => ({ revisionId: revision.id, modelVersionId, weight })),
  });
  return revision.id;
}

/** A revision that was just written. */
export interface WrittenRevision {
  /** The endpoint. */
  id: string;
  name: string;
  revision: number;
}

/** Waits for the edge as deploy does; what it has not acknowledged by then stays with the pusher, as the log says. */
export async function pushRevisions(deps: Deps, revisions: readonly WrittenRevision[]): Promise<void> {
  await Promise.all(
    revisions.map(async (endpoint) => {
      const answer = await awaitAcknowledgement(deps, endpoint);
      if (answer.acknowledged) return;
      const { name, revision } = endpoint;
      const { reason } = answer;
      deps.log.warn('the edge does not know the changed keys yet; pushing goes on', {
        endpoint: name,
        revision,
        reason,
      });
    }),
  );
}

/**
 * When a project's keys change: one revision more for each of its endpoints, with the same variants, because a route
 * carries the keys. In the transaction that changes them, so that no crash leaves a revoked key at the edge. Locks rows
 * in order of id.
 */
export async function repeatRevisions(tx: Prisma.TransactionClient, projectId: string): Promise<WrittenRevision[]> {
  await tx.$queryRaw`SELECT id FROM "Endpoint" WHERE "projectId" = ${projectId}::uuid ORDER BY id FOR UPDATE`;
  const endpoints = await tx.endpoint.findMany({
    where: { projectId },
    select: {
      id: true,
      name: true,
      revisions: {
        orderBy: { number: 'desc' },
        take: 1,
        select: { variants: { orderBy: { id: 'asc' }, select: { modelVersionId: true, weight: true } } },
      },
    },
  });
  const repeated: WrittenRevision[] = [];
  for (const { id, name, revisions } of endpoints) {
    const next = await nextRevision(tx, { projectId, name });
    if (!next) continue;
    const variants = revisions[0]?.variants ?? [];
    await addRevision(tx, { endpointId: id, number: next.revision, reason: 'KEYS', variants });
    repeated.push({ id, name, revision: next.revision });
  }
  return repeated;
}
