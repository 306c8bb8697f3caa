/** Routes in R2 as this isolate sees them: at most a second old, refreshed behind requests, last good value kept. */
import { Route } from './contract.ts';
import type { Pin } from './engine/index.ts';
import type { R2Bucket, R2Object, R2ObjectBody } from './env.ts';
import { HttpError, refuse, unavailable } from './errors.ts';
import { type Log, reason } from './log.ts';

/**
 * An entry older than this is not used before it was compared with R2: so a revoked key works a second longer at most.
 */
const MAX_AGE_MS = 1_000;
/** From this age on the next request refreshes behind its answer, so that busy endpoints never wait for R2. */
const REFRESH_AGE_MS = 500;
/** Clients choose endpoint names, so absent ones must not fill the memory. */
const MAX_ENTRIES = 10_000;
/** Two writers of one route at the same instant is rare; more often than this is a fault. */
const MAX_WRITE_ATTEMPTS = 4;

export interface RouteSource {
  /**
   * The endpoint's route, undefined when there is none. @throws HttpError 503 when R2 does not answer and nothing is
   * known.
   */
  get(endpoint: string, pin: Pin): Promise<Route | undefined>;
  /**
   * Writes a route whose revision is not older than the one in R2, and makes it effective here. `prepare` runs once the
   * revision is accepted and before anybody sees it.
   * @throws HttpError 409 STALE_REVISION, or REVISION_REUSED when the same revision is there with other content.
   */
  store(route: Route, prepare: () => Promise<void>): Promise<void>;
}

interface Entry {
  route: Route | undefined;
  etag: string;
  /** When it was last compared with R2. */
  at: number;
}

/** The only place that builds a route's key. */
export function routeKey(endpoint: string): string {
  return `routes/${endpoint}.json`;
}

/** An empty view of the routes in a bucket. */
export function createRouteSource(parts: { bucket: R2Bucket; now: () => number; log: Log }): RouteSource {
  const { bucket, now, log } = parts;
  const entries = new Map<string, Entry>();
  const refreshing = new Map<string, Promise<void>>();

  const remember = (endpoint: string, entry: Entry) => {
    entries.delete(endpoint);
    entries.set(endpoint, entry);
    const [oldest] = entries.keys();
    if (entries.size > MAX_ENTRIES && oldest !== undefined) entries.delete(oldest);
  };

  async function readAgain(endpoint: string): Promise<void> {
    const before = entries.get(endpoint);
    let after: Entry;
    try {
      after = { ...(await readRoute(bucket, endpoint, before)), at: now() };
    } catch (error) {
      log('error', 'route.unreadable', { endpoint, reason: reason(error) });
      if (!before) throw new HttpError(unavailable('ROUTE_UNAVAILABLE', `the route of ${endpoint} cannot be read now`));
      after = { ...before, at: now() };
    }
    if (entries.get(endpoint) === before) remember(endpoint, after); // else a push was quicker
  }

  function refresh(endpoint: string, pin: Pin): Promise<void> {
    const shared = refreshing.get(endpoint);
    if (shared) return shared;
    const work = readAgain(endpoint).finally(() => refreshing.delete(endpoint));
    refreshing.set(endpoint, work);
    pin(work.catch(() => {})); // shared with other requests: it must outlive this one
    return work;
  }

  return {
    async get(endpoint, pin) {
      const entry = entries.get(endpoint);
      const age = entry ? now() - entry.at : Number.POSITIVE_INFINITY;
      if (age >= MAX_AGE_MS) await refresh(endpoint, pin);
      else if (age >= REFRESH_AGE_MS) void refresh(endpoint, pin);
      return entries.get(endpoint)?.route;
    },
    async store(route, prepare) {
      const etag = await writeRoute(bucket, canonical(route), prepare);
      remember(route.endpoint, { route, etag, at: now() });
    },
  };
}

async function readRoute(bucket: R2Bucket, endpoint: string, known: Entry | undefined): Promise<Omit<Entry, 'at'>> {
  const object = known?.etag
    ? await bucket.get(routeKey(endpoint), { onlyIf: { etagDoesNotMatch: known.etag } })
    : await bucket.get(routeKey(endpoint));
  if (!object) return { route: undefined, etag: '' };
  if (known && !hasBody(object)) return known; // unchanged: nothing to parse
  if (!hasBody(object)) throw new Error('R2 answered without a body');
  return { route: Route.parse(JSON.parse(await object.text())), etag: object.etag };
}

function hasBody(object: R2Object | R2ObjectBody): object is R2ObjectBody {
  return 'body' in object && object.body !== undefined;
}

/** Compare and swap: between reading and writing, another push may have come. */
async function writeRoute(bucket: R2Bucket, route: Route, prepare: () => Promise<void>): Promise<string> {
  const key = routeKey(route.endpoint);
  const text = JSON.stringify(route);
  for (let attempt = 0; attempt < MAX_WRITE_ATTEMPTS; attempt++) {
    const object = await bucket.get(key);
    const same = object && refuseOlder(route, text, await object.text());
    if (attempt === 0) await prepare();
    if (object && same) return object.etag;
    const onlyIf = object ? { etagMatches: object.etag } : { etagDoesNotMatch: '*' };
    const written = await bucket.put(key, text, { onlyIf });
    if (written) return written.etag;
  }
  throw new HttpError(unavailable('ROUTE_BUSY', `the route of ${route.endpoint} is being written by others`));
}

/** True when the very same route is there already. */
function refuseOlder(route: Route, text: string, present: string): boolean {
  const before = Route.parse(JSON.parse(present));
  const { revision } = before;
  if (revision > route.revision)
    throw refuse(409, 'STALE_REVISION', `expected a revision above ${revision}, got ${route.revision}`, 'revision');
  // Parsed again: what is there may be older than a field that has a default now.
  if (revision === route.revision && JSON.stringify(before) !== text)
    throw refuse(409, 'REVISION_REUSED', `revision ${revision} is here with other content: use a new one`, 'revision');
  return revision === route.revision;
}

/** One text for one meaning: the order of keys and scopes does not matter. */
function canonical(route: Route): Route {
  const keys = route.keys.map((key) => ({ ...key, scopes: key.scopes.toSorted() }));
  return { ...route, keys: keys.toSorted((a, b) => (a.sha256 < b.sha256 ? -1 : 1)) };
}
