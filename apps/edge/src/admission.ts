/** Who may call an endpoint: its route, for keys that it names, as often as they may. */
import type { Answering } from './answer.ts';
import { digestTable, digestWords, findDigest } from './constant-time.ts';
import type { Route, RouteKey, Scope } from './contract.ts';
import { EndpointName } from './contract.ts';
import { sha256Hex } from './digest.ts';
import type { Pin } from './engine/index.ts';
import { refuse } from './errors.ts';
import { isLimited, type Limiter } from './limiter.ts';
import { REVISION_HEADER } from './protocol/version.ts';
import type { RouteSource } from './route.ts';

/** The part of a request's context that admission reads and completes. */
export interface Caller extends Answering {
  pin: Pin;
  /** Name of an endpoint that is there; for the log. */
  endpoint?: string;
}

/**
 * The route of an endpoint that this key may call: with one of the scopes, those of predicting unless given. Counts the
 * request against the key's limits. @throws HttpError 401, 403, 404 or 429.
 */
export type Admit = (
  endpoint: string,
  authorization: string | null,
  call: Caller,
  scopes?: readonly Scope[],
) => Promise<Route>;

/** Trainers have no business at the edge, and who only tells what was true does not predict. */
const CALLING_SCOPES: readonly Scope[] = ['read', 'write', 'edge', 'admin', 'predict'];

/** Keys that are remembered: Web Crypto answers in a later turn, and a key comes with every request. */
const MAX_KNOWN = 256;

/** A key that was found in a route. A route that changes is another one, and its keys are looked through again. */
interface Known {
  digest: Uint32Array;
  route: Route;
  key: RouteKey;
}

/** Names that were found right; parsing one costs as much as finding its route. */
const names = new Set<string>();
const MAX_NAMES = 1_000;

function isEndpointName(text: string): boolean {
  if (names.has(text)) return true;
  if (!EndpointName.safeParse(text).success) return false;
  if (names.size >= MAX_NAMES) names.clear();
  names.add(text);
  return true;
}

/** The admission of an isolate. */
export function createAdmission({ routes, limiter }: { routes: RouteSource; limiter: Limiter }): Admit {
  /** By the header's whole text. */
  const known = new Map<string, Known>();
  return async (endpoint, authorization, call, scopes = CALLING_SCOPES) => {
    const remembered = authorization === null ? undefined : known.get(authorization);
    const secret = remembered ? '' : bearer(authorization);
    const route = isEndpointName(endpoint) ? await routes.get(endpoint, call.pin) : undefined;
    if (!route) throw refuse(404, 'NOT_FOUND', `no endpoint is named ${endpoint.slice(0, 80)}`);
    call.endpoint = route.endpoint;
    let key = remembered?.route === route ? remembered.key : undefined;
    if (!key) {
      const digest = remembered?.digest ?? digestWords(await sha256Hex(secret));
      key = findKey(route, digest);
      // Those that are found only: strangers cannot push them out.
      remember(known, authorization ?? '', { digest, route, key });
    }
    call.headers[REVISION_HEADER] = String(route.revision);
    if (!key.scopes.some((scope) => scopes.includes(scope)))
      throw refuse(403, 'FORBIDDEN', `expected a key with one of the scopes ${scopes.join(', ')}`);
    if (isLimited(key)) Object.assign(call.headers, await limiter.spend(key, call.pin));
    return route;
  };
}

function bearer(authorization: string | null): string {
  const key = /^Bearer ([\x21-\x7e]{16,512})$/i.exec(authorization ?? '')?.[1];
  if (key === undefined) throw refuse(401, 'UNAUTHENTICATED', 'expected the header Authorization: Bearer <API key>');
  return key;
}

/** The digests of a route's keys, side by side. */
const tables = new WeakMap<Route, Uint32Array>();

function findKey(route: Route, digest: Uint32Array): RouteKey {
  let table = tables.get(route);
  if (!table) {
    table = digestTable(route.keys.map(({ sha256 }) => sha256));
    tables.set(route, table);
  }
  const key = route.keys[findDigest(table, digest)];
  if (key) return key;
  throw refuse(401, 'UNAUTHENTICATED', `this key is not one of those that may call ${route.endpoint}`);
}

function remember(known: Map<string, Known>, authorization: string, found: Known): void {
  const [oldest] = known.keys();
  if (known.size >= MAX_KNOWN && oldest !== undefined && !known.has(authorization)) known.delete(oldest);
  known.set(authorization, found);
}
