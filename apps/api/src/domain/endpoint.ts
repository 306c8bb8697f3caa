/** Endpoints and their revisions: the pointer that deploy moves. Revisions are only added, never changed. */
import type { EndpointSettings, EventDelivery } from '@anneal/edge/contract';
import type { Deps } from '../deps.ts';
import type { Prisma } from '../generated/prisma/client.ts';
import { awaitAcknowledgement } from './edge-push.ts';
import { settingsOf } from './endpoint-settings.ts';

/** Why there is a new revision. */
export type RevisionReason = 'DEPLOY' | 'UNDEPLOY' | 'KEYS' | 'ROLL_BACK' | 'RAMP' | 'GUARDRAIL' | 'SETTINGS';
/** A share of an endpoint's requests. */
export interface VariantShare {
  modelVersionId: string;
  weight: number;
}
/** A version that is run after the answers, and on which share of the requests. */
export interface ShadowShare {
  modelVersionId: string;
  share: number;
}

/** What a revision serves. */
export interface RevisionContent {
  variants: VariantShare[];
  shadows: ShadowShare[];
  events: EventDelivery;
  settings: EndpointSettings;
}

/** These leave the variants as they are, and so a ramp that runs; a ramp's own steps do too. */
const GOES_ON: ReadonlySet<RevisionReason> = new Set(['KEYS', 'SETTINGS', 'RAMP']);

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

/** A revision that was written. */
export type StoredRevision = RevisionContent & { number: number; reason: string };

/** Revisions of an endpoint, the newest first: below a number, or just that number. */
export async function readRevisions(
  tx: Prisma.TransactionClient,
  endpointId: string,
  { take, ...which }: { take: number } & ({ before: number } | { number: number }),
): Promise<StoredRevision[]> {
  const rows = await tx.endpointRevision.findMany({
    where: { endpointId, number: 'before' in which ? { lt: which.before } : which.number },
    orderBy: { number: 'desc' },
    take,
    select: {
      number: true,
      reason: true,
      events: true,
      settings: true,
      variants: { orderBy: { id: 'asc' }, select: { modelVersionId: true, weight: true, role: true } },
    },
  });
  return rows.map(({ variants, settings, ...revision }) => ({
    ...revision,
    settings: settingsOf(settings),
    variants: variants
      .filter(({ role }) => role === 'PRIMARY')
      .map(({ modelVersionId, weight }) => ({ modelVersionId, weight })),
    shadows: variants
      .filter(({ role }) => role === 'SHADOW')
      .map(({ modelVersionId, weight }) => ({ modelVersionId, share: weight })),
  }));
}

/** The first of {@link readRevisions}. */
export async function readRevision(
  tx: Prisma.TransactionClient,
  endpointId: string,
  which: { before: number } | { number: number },
): Promise<StoredRevision | undefined> {
  const [revision] = await readRevisions(tx, endpointId, { take: 1, ...which });
  return revision;
}

/** A revision to be written. What is not given is as in the revision before. */
export interface NewRevision extends Partial<RevisionContent> {
  endpointId: string;
  number: number;
  reason: RevisionReason;
  /** ROLL_BACK: the revision whose variants these are. */
  repeats?: number;
}

/** Writes a revision with its variants; answers its id. Who changes the variants ends the ramp that runs. */
export async function addRevision(tx: Prisma.TransactionClient, input: NewRevision): Promise<string> {
  const { endpointId, number, reason, repeats = null } = input;
  const before = await readRevision(tx, endpointId, { before: number });
  const variants = input.variants ?? before?.variants ?? [];
  const shadows = input.shadows ?? before?.shadows ?? [];
  const events = input.events ?? before?.events ?? 'BUFFERED';
  const settings = input.settings ?? before?.settings ?? settingsOf({});
  const { id: revisionId } = await tx.endpointRevision.create({
    data: { endpointId, number, reason, repeats, events, settings },
    select: { id: true },
  });
  await tx.variant.createMany({
    data: [
      ...variants.map(({ modelVersionId, weight }) => ({ revisionId, modelVersionId, weight })),
      ...shadows.map(({ modelVersionId, share }) => ({
        revisionId,
        modelVersionId,
        weight: share,
        role: 'SHADOW' as const,
      })),
    ],
  });
  if (!GOES_ON.has(reason))
    await tx.ramp.updateMany({
      where: { endpointId, status: 'RUNNING' },
      data: { status: 'CANCELED', nextAt: null, finishedAt: new Date() },
    });
  return revisionId;
}

/** A revision that was just written. */
export interface WrittenRevision {
  /** The endpoint. */
  id: string;
  name: string;
  revision: number;
}

/** Waits for the edge as deploy does; what it has not acknowledged by then stays with the pusher, as the log says. */
export async function pushRevisions(
  deps: Pick<Deps, 'prisma' | 'blobs' | 'edge' | 'log' | 'now'>,
  revisions: readonly WrittenRevision[],
): Promise<void> {
  await Promise.all(
    revisions.map(async (endpoint) => {
      const answer = await awaitAcknowledgement(deps, endpoint);
      if (answer.acknowledged) return;
      const { name, revision } = endpoint;
      const { reason } = answer;
      deps.log.warn('the edge does not know the new revision yet; pushing goes on', {
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
  const endpoints = await tx.endpoint.findMany({ where: { projectId }, select: { id: true, name: true } });
  const repeated: WrittenRevision[] = [];
  for (const { id, name } of endpoints) {
    const next = await nextRevision(tx, { projectId, name });
    if (!next) continue;
    await addRevision(tx, { endpointId: id, number: next.revision, reason: 'KEYS' });
    repeated.push({ id, name, revision: next.revision });
  }
  return repeated;
}
