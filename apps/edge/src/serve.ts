/**
 * From a key and an endpoint to predictions: who may call, which variant answers, and the event that tells the API.
 * Knows no HTTP body: the forms of protocol/ stand before it.
 */
import type { PredictionEvent } from '@anneal/api/contract';
import type { Prediction, PredictRequest, PredictResponse, Route, Scope } from './contract.ts';
import { EndpointName } from './contract.ts';
import { sha256Hex, uuidv7 } from './digest.ts';
import type { Pin, SessionCache } from './engine/index.ts';
import { refusalOf, refuse } from './errors.ts';
import { type Log, reason } from './log.ts';
import { predict } from './predict/index.ts';
import type { RouteSource } from './route.ts';
import { pickVariant } from './variant.ts';

/** One request's context, whatever its form. */
export interface Call {
  requestId: string;
  pin: Pin;
  /** performance.now() when the request came. */
  started: number;
}

export interface Serve {
  /** The route of an endpoint that this key may call. @throws HttpError 401, 403 or 404. */
  admit(endpoint: string, authorization: string | null, call: Call): Promise<Route>;
  /** Predicts by one of the route's variants and records the event, also of a failure. */
  predict(route: Route, request: PredictRequest, call: Call): Promise<PredictResponse>;
}

export interface ServeParts {
  routes: RouteSource;
  sessions: SessionCache;
  record: (event: PredictionEvent) => Promise<void>;
  /** Milliseconds since 1970. */
  now: () => number;
  /** In [0, 1). */
  random: () => number;
  log: Log;
}

/** Trainers have no business at the edge. */
const CALLING_SCOPES: readonly Scope[] = ['read', 'write', 'edge', 'admin'];

/** The serving of all endpoints. */
export function createServe(parts: ServeParts): Serve {
  return {
    admit: (endpoint, authorization, call) => admit(parts.routes, endpoint, authorization, call.pin),
    async predict(route, request, call) {
      const variant = pickVariant(route.variants, request.routeKey, parts.random);
      if (!variant) throw refuse(404, 'NOT_FOUND', `endpoint ${route.endpoint} has no version deployed`);
      const outcome: Outcome = { predictions: null, errorCode: null };
      const id = uuidv7(parts.now());
      try {
        const { manifest } = variant;
        const predictions = await parts.sessions.with(manifest.artifact.digest, call.pin, (session) =>
          predict(session, manifest, request.instances),
        );
        outcome.predictions = predictions;
        return {
          endpoint: route.endpoint,
          model: variant.model,
          version: variant.version,
          predictions: predictions.map((prediction, i) => ({ id: `${id}.${i}`, ...prediction })),
        };
      } catch (error) {
        outcome.errorCode = refusalOf(error, call.requestId).code;
        throw error;
      } finally {
        const event = eventOf({ id, route, variant, outcome, instances: request.instances.length }, call, parts.now());
        call.pin(
          parts.record(event).catch((error) => {
            parts.log('error', 'event.lost', { requestId: call.requestId, event, reason: reason(error) });
          }),
        );
      }
    },
  };
}

async function admit(routes: RouteSource, endpoint: string, authorization: string | null, pin: Pin): Promise<Route> {
  const key = /^Bearer ([\x21-\x7e]{16,512})$/i.exec(authorization ?? '')?.[1];
  if (key === undefined) throw refuse(401, 'UNAUTHENTICATED', 'expected the header Authorization: Bearer <API key>');
  const route = EndpointName.safeParse(endpoint).success ? await routes.get(endpoint, pin) : undefined;
  if (!route) throw refuse(404, 'NOT_FOUND', `no endpoint is named ${endpoint.slice(0, 80)}`);
  const sha256 = await sha256Hex(key);
  const known = route.keys.find((candidate) => candidate.sha256 === sha256);
  if (!known) throw refuse(401, 'UNAUTHENTICATED', `this key is not one of the project that owns ${endpoint}`);
  if (!known.scopes.some((scope) => CALLING_SCOPES.includes(scope)))
    throw refuse(403, 'FORBIDDEN', `expected a key with one of the scopes ${CALLING_SCOPES.join(', ')}`);
  return route;
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
function eventOf(
  of: { id: string; route: Route; variant: Route['variants'][number]; outcome: Outcome; instances: number },
  call: Call,
  now: number,
): PredictionEvent {
  const { predictions, errorCode } = of.outcome;
  return {
    formatVersion: 1,
    id: of.id,
    endpoint: of.route.endpoint,
    revision: of.route.revision,
    modelVersionId: of.variant.modelVersionId,
    time: new Date(now).toISOString(),
    durationUs: Math.round((performance.now() - call.started) * 1000) || HALF_STEP_US,
    status: errorCode === null ? 'OK' : 'ERROR',
    errorCode,
    instances: of.instances,
    predictions:
      predictions?.map((p) => ('value' in p ? { value: p.value } : { label: p.label, score: p.score })) ?? null,
  };
}
