/**
 * Brings an endpoint's newest revision to the edge: its artifacts by digest, then its route, each push signed. Any
 * number of processes may do it at any time: revisions only rise, and the same revision twice is the same. Knows no
 * GraphQL.
 */
import { createHash, createHmac } from 'node:crypto';
import { PUSH_HEADERS, pushPayload, Route, type RouteKey, type RouteVariant, Scope } from '@anneal/edge/contract';
import { z } from 'zod';
import type { Deps } from '../deps.ts';
import { settingsOf } from './endpoint-settings.ts';
import { profilesOf } from './profile.ts';
import { AnyManifest } from './variants.ts';

export type PushDeps = Pick<Deps, 'prisma' | 'blobs' | 'edge' | 'log' | 'now'>;

/** A push that did not succeed. `refused`: the edge answered and said no, so that trying again at once is pointless. */
export class PushError extends Error {
  override name = 'PushError';
  readonly refused: boolean;

  constructor(message: string, options: { refused: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.refused = options.refused;
  }
}

/**
 * One attempt to make the edge serve the endpoint's newest revision; answers its number once the edge has acknowledged
 * it (now or before). @throws PushError
 */
export async function pushNewest(deps: PushDeps, endpointId: string, signal: AbortSignal): Promise<number> {
  const { route, revisionId, acknowledged, artifacts } = await readNewest(deps, endpointId);
  if (acknowledged) return route.revision;
  for (const digest of artifacts) await pushArtifact(deps, digest, signal);
  const answer = await pushRoute(deps, route, signal);
  if (answer.status === 409) {
    // Somebody pushed a newer revision meanwhile, or there is none and the edge is ahead of this database.
    const { route: newest } = await readNewest(deps, endpointId);
    if (newest.revision > route.revision) return await pushNewest(deps, endpointId, signal);
  }
  if (!answer.ok) throw await failure(answer, `PUT ${routePath(route)}`);
  await answer.body?.cancel(); // lets go of the connection
  await deps.prisma.endpointRevision.updateMany({
    where: { id: revisionId, acknowledgedAt: null },
    data: { acknowledgedAt: deps.now() },
  });
  deps.log.info('route acknowledged by the edge', { endpoint: route.endpoint, revision: route.revision });
  return route.revision;
}

const KEY = { sha256: true, scopes: true, endpoints: true, requestsPerMinute: true, requestsPerDay: true } as const;
const VERSION = {
  id: true,
  number: true,
  manifest: true,
  artifactDigest: true,
  model: { select: { name: true } },
} as const;

/**
 * The endpoint's newest revision as a route. One statement, so one moment: keys change together with the revision, and
 * a revision always means the same route.
 */
async function readNewest(deps: PushDeps, endpointId: string) {
  const endpoint = await deps.prisma.endpoint.findUniqueOrThrow({
    where: { id: endpointId },
    select: {
      name: true,
      project: { select: { apiKeys: { where: { revokedAt: null }, select: KEY } } },
      revisions: {
        orderBy: { number: 'desc' },
        take: 1,
        select: {
          id: true,
          number: true,
          acknowledgedAt: true,
          events: true,
          settings: true,
          variants: {
            orderBy: { id: 'asc' },
            select: { role: true, weight: true, modelVersion: { select: VERSION } },
          },
        },
      },
    },
  });
  const [revision] = endpoint.revisions;
  if (!revision) throw new Error(`endpoint ${endpoint.name} has no revision`);
  const settings = settingsOf(revision.settings);
  const primary = revision.variants.filter(({ role }) => role === 'PRIMARY').map(routeVariant);
  const route: Route = {
    formatVersion: 1,
    endpoint: endpoint.name,
    revision: revision.number,
    // What the edge has already is not sent, so needs no profile.
    variants: settings.drift && !revision.acknowledgedAt ? await profiled(deps, primary) : primary,
    shadows: revision.variants.filter(({ role }) => role === 'SHADOW').map(routeVariant),
    events: revision.events,
    settings,
    keys: endpoint.project.apiKeys
      .filter(({ endpoints }) => endpoints.length === 0 || endpoints.includes(endpoint.name))
      .map(routeKey),
  };
  return {
    route: Route.parse(route),
    revisionId: revision.id,
    acknowledged: revision.acknowledgedAt !== null,
    artifacts: new Set(revision.variants.map((variant) => variant.modelVersion.artifactDigest)),
  };
}

function routeVariant({
  weight,
  modelVersion,
}: {
  weight: number;
  modelVersion: { id: string; number: number; manifest: unknown; model: { name: string } };
}): RouteVariant {
  const { id, number, manifest, model } = modelVersion;
  return { modelVersionId: id, model: model.name, version: number, weight, manifest: AnyManifest.parse(manifest) };
}

/** With what their inputs are counted by; shadows are not counted, as they see what the others see. */
async function profiled(deps: PushDeps, variants: RouteVariant[]): Promise<RouteVariant[]> {
  const profiles = await profilesOf(
    deps,
    variants.map(({ modelVersionId }) => modelVersionId),
  );
  return variants.map((variant) => {
    const profile = profiles.get(variant.modelVersionId)?.map((column) => column.profile);
    return profile?.length ? { ...variant, profile } : variant;
  });
}

function routeKey(key: {
  sha256: string;
  scopes: string[];
  requestsPerMinute: number | null;
  requestsPerDay: number | null;
}): RouteKey {
  const { sha256, scopes, requestsPerMinute, requestsPerDay } = key;
  return {
    sha256,
    scopes: z.array(Scope).parse(scopes),
    ...(requestsPerMinute !== null && { requestsPerMinute }),
    ...(requestsPerDay !== null && { requestsPerDay }),
  };
}

async function pushArtifact(deps: PushDeps, digest: string, signal: AbortSignal): Promise<void> {
  const path = `/admin/artifacts/${digest}`;
  const present = await send(deps, { method: 'HEAD', path, digest: sha256(''), revision: 0, signal });
  if (present.ok) return;
  if (present.status !== 404) throw await failure(present, `HEAD ${path}`);
  // Read whole: an artifact has at most 24 MiB, and bytes whose digest was verified can be sent again.
  const body = await deps.blobs.read(digest);
  const answer = await send(deps, { method: 'PUT', path, digest, revision: 0, body, signal });
  if (!answer.ok) throw await failure(answer, `PUT ${path}`);
  await answer.body?.cancel();
}

const routePath = (route: Route) => `/admin/routes/${route.endpoint}`;

async function pushRoute(deps: PushDeps, route: Route, signal: AbortSignal): Promise<Response> {
  const body = new TextEncoder().encode(JSON.stringify(route));
  const { revision } = route;
  return await send(deps, { method: 'PUT', path: routePath(route), digest: sha256(body), revision, body, signal });
}

interface Push {
  method: 'HEAD' | 'PUT';
  path: string;
  /** sha256 of the body. */
  digest: string;
  revision: number;
  body?: Uint8Array;
  signal: AbortSignal;
}

async function send({ edge, now }: PushDeps, push: Push): Promise<Response> {
  const url = new URL(edge.url.replace(/\/$/, '') + push.path);
  const time = Math.floor(now().getTime() / 1000);
  const { method, digest, revision } = push;
  const payload = pushPayload({ method, path: url.pathname, digest, revision, time });
  try {
    return await fetch(url, {
      method,
      headers: {
        [PUSH_HEADERS.time]: String(time),
        [PUSH_HEADERS.revision]: String(revision),
        [PUSH_HEADERS.signature]: createHmac('sha256', edge.adminSecret).update(payload).digest('hex'),
        'content-type': push.path.startsWith('/admin/routes/') ? 'application/json' : 'application/octet-stream',
      },
      body: push.body && new Uint8Array(push.body),
      redirect: 'error', // a signed request goes where we address it, nowhere else
      signal: push.signal,
    });
  } catch (cause) {
    throw new PushError(`${method} ${url.href}: ${reason(cause)}`, { refused: false, cause });
  }
}

/** What fetch hides: "fetch failed" has the reason in its cause. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? error.cause : undefined;
  if (cause && 'code' in cause) return `${cause.code} ${cause.message}`.trim();
  return cause?.message ?? error.message;
}

async function failure(answer: Response, what: string): Promise<PushError> {
  const text = (await answer.text().catch(() => '')).slice(0, 500);
  const transient = answer.status >= 500 || answer.status === 408 || answer.status === 429;
  return new PushError(`${what}: the edge answered ${answer.status} ${text}`.trim(), { refused: !transient });
}

const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');
