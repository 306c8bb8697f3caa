/** API keys: from a secret to its caller, and from a caller to a new key. Only the sha256 of a secret is stored. */
import { createHash, randomBytes } from 'node:crypto';
import { EndpointName, Scope } from '@anneal/edge/contract';
import { z } from 'zod';
import { type Caller, hasScope, type KeyCaller } from '../context.ts';
import type { Deps } from '../deps.ts';
import { notFound, UserError } from '../errors.ts';
import type { ApiKey } from '../generated/prisma/client.ts';
import { pushRevisions, repeatRevisions } from './endpoint.ts';
import { globalId } from './ids.ts';

/** lastUsedAt is for people who tidy up: to the minute is enough, and saves a write per request. */
const LAST_USED_MS = 60_000;

/** What is stored of a key, and what the edge compares. */
export function sha256OfKey(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** A new secret: 32 random bytes with a prefix that secret scanners can look for. */
export function newSecret(): string {
  return `anneal_${randomBytes(32).toString('base64url')}`;
}

/** Who calls with this Authorization header. No key, an unknown one and a revoked one are all anonymous. */
export async function authenticate(
  deps: Pick<Deps, 'prisma' | 'now'>,
  authorization: string | undefined,
): Promise<Caller> {
  const secret = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
  if (!secret) return { kind: 'anonymous' };
  const key = await deps.prisma.apiKey.findUnique({ where: { sha256: sha256OfKey(secret) } });
  if (!key || key.revokedAt) return { kind: 'anonymous' };
  const now = deps.now();
  if (!key.lastUsedAt || now.getTime() - key.lastUsedAt.getTime() > LAST_USED_MS)
    await deps.prisma.apiKey.updateMany({ where: { id: key.id }, data: { lastUsedAt: now } });
  return { kind: 'key', keyId: key.id, projectId: key.projectId, scopes: z.array(Scope).parse(key.scopes) };
}

/** Input of {@link createApiKey}. */
export const CreateApiKeyInput = z.object({
  name: z.string().trim().min(1).max(100),
  scopes: z.array(Scope).min(1).max(Scope.options.length),
  endpoints: z.array(EndpointName).max(100).nullish(),
  requestsPerMinute: z.int().min(1).max(1_000_000).nullish(),
  requestsPerDay: z.int().min(1).max(1_000_000_000).nullish(),
  projectId: globalId('Project').nullish(),
});

/** Keys for callers of endpoints: they reach nothing else, so they alone can be kept to some endpoints. */
const CALLERS_SCOPES: readonly Scope[] = ['predict', 'feedback'];

/** A new key of the caller's project; the secret is in the answer and nowhere else. */
export async function createApiKey(
  deps: Deps,
  caller: KeyCaller,
  input: z.output<typeof CreateApiKeyInput>,
): Promise<{ apiKeyId: string; secret: string }> {
  const projectId = ownProject(caller, input.projectId);
  const { name, scopes, requestsPerMinute, requestsPerDay } = input;
  const endpoints = await checkEndpoints(deps, projectId, input);
  const row = { projectId, name, scopes, endpoints, requestsPerMinute, requestsPerDay };
  const { key, secret, revisions } = await deps.prisma.$transaction(async (tx) => ({
    ...(await insertKey(tx, row)),
    revisions: await repeatRevisions(tx, projectId),
  }));
  await pushRevisions(deps, revisions);
  return { apiKeyId: key.id, secret };
}

/** The names, each once. @throws UserError when one is not there, or the key would reach beyond them. */
async function checkEndpoints(
  { prisma }: Pick<Deps, 'prisma'>,
  projectId: string,
  { endpoints, scopes }: Pick<z.output<typeof CreateApiKeyInput>, 'endpoints' | 'scopes'>,
): Promise<string[]> {
  const names = [...new Set(endpoints ?? [])];
  if (names.length === 0) return names;
  const wide = scopes.find((scope) => !CALLERS_SCOPES.includes(scope));
  if (wide)
    throw new UserError(
      'SCOPE_TOO_WIDE',
      `A key of scope ${wide} reaches the whole project: with endpoints, scopes may be predict and feedback only.`,
      ['scopes'],
    );
  const known = await prisma.endpoint.findMany({ where: { projectId, name: { in: names } }, select: { name: true } });
  const unknown = names.find((name) => !known.some((endpoint) => endpoint.name === name));
  if (unknown === undefined) return names;
  throw new UserError('NOT_FOUND', `There is no endpoint "${unknown}" in this project: deploy it first.`, [
    'endpoints',
    String(endpoints?.indexOf(unknown)),
  ]);
}

/** A row of a key as it is written. */
export interface NewKey {
  projectId: string | null;
  name: string;
  scopes: Scope[];
  endpoints?: string[];
  requestsPerMinute?: number | null | undefined;
  requestsPerDay?: number | null | undefined;
  secret?: string;
}

/** Writes the row of a key; the secret is new unless it is given. */
export async function insertKey(
  prisma: Pick<Deps['prisma'], 'apiKey'>,
  input: NewKey,
): Promise<{ key: ApiKey; secret: string }> {
  const { secret = newSecret(), ...row } = input;
  const scopes = [...new Set(row.scopes)];
  const data = { ...row, scopes, prefix: secret.slice(0, 12), sha256: sha256OfKey(secret) };
  return { key: await prisma.apiKey.create({ data }), secret };
}

/** Input of {@link revokeApiKey}. */
export const RevokeApiKeyInput = z.object({ apiKeyId: globalId('ApiKey') });

/** Ends a key at once; at the edge with the revision that this pushes. Revoking twice is the same as once. */
export async function revokeApiKey(
  deps: Deps,
  caller: KeyCaller,
  input: z.output<typeof RevokeApiKeyInput>,
): Promise<{ apiKeyId: string }> {
  const projectId = ownProject(caller);
  const key = await deps.prisma.apiKey.findFirst({ where: { id: input.apiKeyId, projectId } });
  if (!key) throw notFound('ApiKey', ['apiKeyId']);
  const revisions = await deps.prisma.$transaction(async (tx) => {
    const { count } = await tx.apiKey.updateMany({
      where: { id: key.id, revokedAt: null },
      data: { revokedAt: deps.now() },
    });
    return count ? await repeatRevisions(tx, projectId) : [];
  });
  await pushRevisions(deps, revisions);
  return { apiKeyId: key.id };
}

function ownProject(caller: KeyCaller, projectId: string | null = caller.projectId ?? null): string {
  if (!projectId || projectId !== caller.projectId) throw notFound('Project', ['projectId']);
  return projectId;
}

/** The caller as one with a key and the scope. @throws UserError FORBIDDEN; fields with `authScopes` never get here. */
export function keyCaller(caller: Caller, scope: Scope): KeyCaller {
  if (caller.kind !== 'key' || !hasScope(caller, scope))
    throw new UserError('FORBIDDEN', `A key with the scope ${scope} is needed.`);
  return caller;
}
