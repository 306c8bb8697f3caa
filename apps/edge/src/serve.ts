/**
 * From a key and an endpoint to predictions: who may call, which variant answers, and the event that tells the API.
 * Knows no HTTP body: the forms of protocol/ stand before it.
 */
import type { PredictionEvent } from '@anneal/api/contract';
import type { Prediction, Route, RouteVariant, Scope } from './contract.ts';
import { EndpointName } from './contract.ts';
import { sha256Hex, uuidv7 } from './digest.ts';
import type { Feeds, Outputs, Pin, SessionCache } from './engine/index.ts';
import { HttpError, refusalOf, refuse, unavailable } from './errors.ts';
import { type Log, reason } from './log.ts';
import { predictionStem } from './prediction-id.ts';
import type { Recorder } from './recorder.ts';
import type { RouteSource } from './route.ts';
import { createStatistics, type Statistics, type Timing } from './statistics.ts';
import { pickVariant } from './variant.ts';

/** One request's context, whatever its form. */
export interface Call {
  requestId: string;
  pin: Pin;
  /** performance.now() when the request came. */
  started: number;
}

/** What a request says of who should answer it. */
export interface Asked {
  /** Number of one of the route's variants; without it the weights decide. */
  version?: number | undefined;
  /** Requests of the same key stay on the same variant. */
  routeKey?: string | undefined;
  /** Instances in the request, for its event. */
  instances: number;
}

export interface Session {
  run(feeds: Feeds): Outputs;
}
/**
 * The synchronous work of one request with the model that was chosen; `predictions` go into the event, null where the
 * model gives none. It is done again when the heap was full.
 */
export type Work<T extends { predictions: Prediction[] | null }> = (
  session: Session,
  manifest: RouteVariant['manifest'],
) => T;

/** Which variant answered, and under which id. */
export interface Served<T> {
  /** Of event and version: instance i's prediction id is `predictionId(id, i)`. */
  id: string;
  variant: RouteVariant;
  answer: T;
}

export interface Serve {
  /**
   * The route of an endpoint that this key may call: with one of the scopes, all but trainers' unless given.
   * @throws HttpError 401, 403 or 404.
   */
  admit(endpoint: string, authorization: string | null, call: Call, scopes?: readonly Scope[]): Promise<Route>;
  /** Works with one of the route's variants and records the event, also of a failure. */
  run<T extends { predictions: Prediction[] | null }>(
    route: Route,
    asked: Asked,
    work: Work<T>,
    call: Call,
  ): Promise<Served<T>>;
  /** Loads a variant's model. @throws what makes it unable to serve. */
  load(variant: RouteVariant, call: Call): Promise<void>;
  /** What this isolate has counted. */
  statistics: Pick<Statistics, 'of'>;
}

export interface ServeParts {
  routes: RouteSource;
  sessions: SessionCache;
  recorder: Pick<Recorder, 'record'>;
  /** Milliseconds since 1970. */
  now: () => number;
  /** In [0, 1). */
  random: () => number;
  log: Log;
}

/** Trainers have no business at the edge. */
const CALLING_SCOPES: readonly Scope[] = ['read', 'write', 'edge', 'admin'];

export { predictionId } from './prediction-id.ts';

/** The serving of all endpoints. */
export function createServe(parts: ServeParts): Serve {
  const statistics = createStatistics();
  const digests = new Map<string, string>();
  return {
    statistics,
    async admit(endpoint, authorization, { pin }, scopes = CALLING_SCOPES) {
      const key = bearer(authorization);
      const route = EndpointName.safeParse(endpoint).success ? await parts.routes.get(endpoint, pin) : undefined;
      if (!route) throw refuse(404, 'NOT_FOUND', `no endpoint is named ${endpoint.slice(0, 80)}`);
      await checkKey(route, key, scopes, digests);
      return route;
    },
    load: (variant, { pin }) => parts.sessions.with(variant.manifest.artifact.digest, pin, () => undefined),
    run: (route, asked, work, call) => run({ ...parts, statistics }, route, asked, work, call),
  };
}

type RunParts = ServeParts & { statistics: Statistics };

async function run<T extends { predictions: Prediction[] | null }>(
  parts: RunParts,
  route: Route,
  asked: Asked,
  work: Work<T>,
  call: Call,
): Promise<Served<T>> {
  const variant = chooseVariant(route, asked, parts.random);
  const id = uuidv7(parts.now());
  const record = (outcome: Outcome, timing: Timing | null) => {
    const [time, durationMs] = [parts.now(), performance.now() - call.started];
    const { instances } = asked;
    parts.statistics.count(route.endpoint, variant.version, { time, durationMs, instances, timing });
    const event = eventOf({ id, route, variant, outcome, instances, durationMs, time });
    return parts.recorder.record(event, route.events, call.pin);
  };
  const lost = (error: unknown) =>
    parts.log('error', 'events.lost', { count: 1, requestId: call.requestId, reason: reason(error) });
  let timing: Timing | null = null;
  let answer: T;
  try {
    answer = await parts.sessions.with(variant.manifest.artifact.digest, call.pin, (session) => {
      const [done, times] = timed(session, (watched) => work(watched, variant.manifest), call.started);
      timing = times;
      return done;
    });
  } catch (error) {
    const { code } = refusalOf(error, call.requestId);
    await record({ predictions: null, errorCode: code }, null)?.catch(lost);
    throw error;
  }
  // A promise only for DURABLE endpoints: what they answer is recorded, or it is not answered.
  const recorded = record({ predictions: answer.predictions, errorCode: null }, timing);
  if (recorded)
    await recorded.catch((error) => {
      lost(error);
      throw new HttpError(unavailable('EVENTS_UNAVAILABLE', 'the prediction could not be recorded now; try again'));
    });
  return { id: predictionStem(id, variant.modelVersionId), variant, answer };
}

/** @throws HttpError 404 when nothing is deployed, or not that version. */
function chooseVariant({ endpoint, variants }: Route, { version, routeKey }: Asked, random: () => number) {
  const asked = version === undefined ? variants : variants.filter((variant) => variant.version === version);
  const variant = pickVariant(asked, routeKey, random);
  if (variant) return variant;
  if (variants.length === 0) throw refuse(404, 'NOT_FOUND', `endpoint ${endpoint} has no version deployed`);
  const deployed = variants.map((candidate) => candidate.version).join(', ');
  throw refuse(404, 'NOT_FOUND', `endpoint ${endpoint} has no version ${version}: expected one of ${deployed}`);
}

/** Does the work and says what its parts took: all before the first run is input, all that is not a run is output. */
function timed<T>(session: Session, work: (session: Session) => T, started: number): [T, Timing] {
  const begin = performance.now();
  let firstRun: number | undefined;
  let infer = 0;
  const answer = work({
    run(feeds) {
      const before = performance.now();
      firstRun ??= before;
      const outputs = session.run(feeds);
      infer += performance.now() - before;
      return outputs;
    },
  });
  const end = performance.now();
  const input = (firstRun ?? end) - begin;
  return [answer, { queue: begin - started, input, infer, output: end - begin - input - infer }];
}

function bearer(authorization: string | null): string {
  const key = /^Bearer ([\x21-\x7e]{16,512})$/i.exec(authorization ?? '')?.[1];
  if (key === undefined) throw refuse(401, 'UNAUTHENTICATED', 'expected the header Authorization: Bearer <API key>');
  return key;
}

/** Keys whose sha256 is remembered: Web Crypto answers in a later turn, and a key comes with every request. */
const MAX_DIGESTS = 256;

async function checkKey(route: Route, key: string, scopes: readonly Scope[], digests: Map<string, string>) {
  const remembered = digests.get(key);
  const sha256 = remembered ?? (await sha256Hex(key));
  const known = route.keys.find((candidate) => candidate.sha256 === sha256);
  if (!known) throw refuse(401, 'UNAUTHENTICATED', `this key is not one of the project that owns ${route.endpoint}`);
  if (!known.scopes.some((scope) => scopes.includes(scope)))
    throw refuse(403, 'FORBIDDEN', `expected a key with one of the scopes ${scopes.join(', ')}`);
  if (remembered !== undefined) return;
  const [oldest] = digests.keys();
  if (digests.size >= MAX_DIGESTS && oldest !== undefined) digests.delete(oldest);
  digests.set(key, sha256); // known keys only: strangers cannot push them out
}

/** workerd's clock steps by 1 ms: what took less than a step is reported as half of one, not as nothing. */
const HALF_STEP_US = 500;

interface Outcome {
  predictions: Prediction[] | null;
  errorCode: string | null;
}

/**
 * `durationUs` is wall time by performance.now() from the request's arrival to its answer. On Cloudflare that clock
 * stands still while code computes and moves with I/O only, so there it says what loading and waiting cost; in the
 * self-hosted process it includes the computing.
 */
function eventOf(of: {
  id: string;
  route: Route;
  variant: RouteVariant;
  outcome: Outcome;
  instances: number;
  durationMs: number;
  time: number;
}): PredictionEvent {
  const { predictions, errorCode } = of.outcome;
  return {
    formatVersion: 1,
    id: of.id,
    endpoint: of.route.endpoint,
    revision: of.route.revision,
    modelVersionId: of.variant.modelVersionId,
    time: new Date(of.time).toISOString(),
    durationUs: Math.round(of.durationMs * 1000) || HALF_STEP_US,
    status: errorCode === null ? 'OK' : 'ERROR',
    errorCode,
    instances: of.instances,
    predictions:
      predictions?.map((p) => ('value' in p ? { value: p.value } : { label: p.label, score: p.score })) ?? null,
  };
}
