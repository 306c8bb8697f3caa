/**
 * From a key and an endpoint to predictions: who may call, which variant answers, and the event that tells the API.
 * Knows no HTTP body: the forms of protocol/ stand before it.
 */
import { type Admit, type Caller, createAdmission } from './admission.ts';
import { MAX_INSTANCES, type Prediction, type Route, type RouteVariant } from './contract.ts';
import type { Feeds, Outputs, Pin, SessionCache } from './engine/index.ts';
import { HttpError, refusalOf, refuse, unavailable } from './errors.ts';
import { eventOf, type Outcome, type RunRecord } from './event.ts';
import type { Limiter } from './limiter.ts';
import { type Log, reason } from './log.ts';
import type { Instance } from './predict/index.ts';
import { predictionStem } from './prediction-id.ts';
import { predictionWeight, type Recorder } from './recorder.ts';
import type { RouteSource } from './route.ts';
import type { Shadows } from './shadow.ts';
import { createStatistics, type Statistics, type Timing, type VersionStatistics } from './statistics.ts';
import { chooseVariant } from './variant.ts';

/** One request's context, whatever its form. */
export interface Call extends Caller {
  requestId: string;
  /** Of the event, should there be one; the request's own id where the caller gave none. */
  eventId: string;
  /** performance.now() when the request came. */
  started: number;
}

/** What a request says of who should answer it. */
export interface Asked {
  /** Number of one of the route's variants or shadows; without it the weights decide. */
  version?: number | undefined;
  /** Requests of the same key stay on the same variant. */
  routeKey?: string | undefined;
  /** Instances in the request, for its event. */
  instances: number;
}

export interface Session {
  run(feeds: Feeds): Outputs;
}
/** What the work on a request gives. */
export interface Answer {
  /** Go into the event; null where the model gives none. */
  predictions: Prediction[] | null;
  /** The rows that the model read, as they came; absent where it reads tensors. */
  instances?: readonly Instance[];
}
/**
 * The synchronous work of one request with the model that was chosen. It is done again when the heap was full, and by
 * each shadow.
 */
export type Work<T extends Answer> = (session: Session, manifest: RouteVariant['manifest']) => T;

/** Sees what was answered, once it is computed; it must be quick and cannot fail the answer. */
export type Observer = (seen: {
  route: Route;
  variant: RouteVariant;
  instances: readonly Instance[] | undefined;
  predictions: readonly Prediction[] | null;
  eventId: string;
  /** Milliseconds since 1970. */
  time: number;
  pin: Pin;
}) => void;

/** Which variant answered, and under which id. */
export interface Served<T> {
  /** Of event and version: instance i's prediction id is `predictionId(id, i)`. */
  id: string;
  variant: RouteVariant;
  answer: T;
}

export interface Serve {
  admit: Admit;
  /** Works with one of the route's variants and records the event, also of a failure. */
  run<T extends Answer>(route: Route, asked: Asked, work: Work<T>, call: Call): Promise<Served<T>>;
  /** Loads a variant's model. @throws what makes it unable to serve. */
  load(variant: RouteVariant, call: Call): Promise<void>;
  /** What this isolate has counted. */
  statisticsOf(endpoint: string, version: number, call: Call): VersionStatistics;
}

export interface ServeParts {
  routes: RouteSource;
  limiter: Limiter;
  sessions: SessionCache;
  recorder: Pick<Recorder, 'record' | 'recordLater' | 'settle'>;
  shadows: Pick<Shadows, 'follow'>;
  observers?: readonly Observer[];
  /** Milliseconds since 1970. */
  now: () => number;
  /** In [0, 1). */
  random: () => number;
  log: Log;
}

export { predictionId } from './prediction-id.ts';

/** The serving of all endpoints. */
export function createServe(parts: ServeParts): Serve {
  const statistics = createStatistics();
  const all = { ...parts, statistics };
  return {
    statisticsOf(endpoint, version, { pin }) {
      parts.recorder.settle(pin);
      return statistics.of(endpoint, version);
    },
    admit: createAdmission(parts),
    load: (variant, { pin }) => parts.sessions.with(variant.manifest.artifact.digest, pin, () => undefined),
    run: (route, asked, work, call) => run(all, route, asked, work, call),
  };
}

type RunParts = ServeParts & { statistics: Statistics };

async function run<T extends Answer>(
  parts: RunParts,
  route: Route,
  asked: Asked,
  work: Work<T>,
  call: Call,
): Promise<Served<T>> {
  const { variant, selectedBy } = chooseVariant(route, asked, parts.random);
  refuseTooMany(route, variant, asked.instances);
  const id = call.eventId;
  const ended = (outcome: Outcome, timing: Timing | null): Ended => {
    const [time, durationMs] = [parts.now(), performance.now() - call.started];
    return { id, route, variant, outcome, instances: asked.instances, durationMs, time, selectedBy, timing };
  };
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
    await recordNow(parts, ended({ predictions: null, errorCode: code }, null), call)?.catch(() => {}); // logged
    throw error;
  }
  const { predictions, instances } = answer;
  const answered = ended({ predictions, instances, errorCode: null }, timing);
  // What a DURABLE endpoint answers is recorded, or it is not answered.
  if (route.events === 'BUFFERED') recordLater(parts, answered, call);
  else
    await recordNow(parts, answered, call)?.catch(() => {
      throw new HttpError(unavailable('EVENTS_UNAVAILABLE', 'the prediction could not be recorded now; try again'));
    });
  // A request that names its version is a test: what it sends says nothing of the endpoint's traffic.
  if (route.shadows.length > 0 && selectedBy !== 'VERSION')
    parts.shadows.follow({ route, instances: asked.instances, work, ...call });
  return { id: predictionStem(id, variant.modelVersionId), variant, answer };
}

/** A run that is over: what its event, the statistics and the observers are told. */
type Ended = RunRecord & { timing: Timing | null };

/** A promise for DURABLE endpoints. @throws what keeps the outbox from taking it, which is logged. */
function recordNow(parts: RunParts, ended: Ended, call: Call): Promise<void> | undefined {
  count(parts, ended);
  const recorded = parts.recorder.record(eventOf(ended), ended.route.events, call.pin)?.catch((error) => {
    parts.log('error', 'events.lost', { count: 1, requestId: call.requestId, reason: reason(error) });
    throw error;
  });
  if (!recorded) return undefined;
  return recorded.then(() => observe(parts, ended, call.requestId, call.pin));
}

/** All that is to be told of an answer is told after it, together with that of the others within these 50 ms. */
function recordLater(parts: RunParts, ended: Ended, { requestId, pin }: Call): void {
  const { route, instances, outcome } = ended;
  parts.recorder.recordLater(
    {
      weight: predictionWeight(instances, route.settings.logged.length > 0 && outcome.instances !== undefined),
      make(flushing) {
        count(parts, ended);
        observe(parts, ended, requestId, flushing);
        return eventOf(ended);
      },
    },
    pin,
  );
}

function count({ statistics }: RunParts, { route, variant, time, durationMs, instances, timing }: Ended): void {
  statistics.count(route.endpoint, variant.version, { time, durationMs, instances, timing });
}

function observe({ observers = [], log }: RunParts, ended: Ended, requestId: string, pin: Pin): void {
  const { id, route, variant, outcome, time } = ended;
  if (outcome.errorCode !== null) return;
  const { instances, predictions } = outcome;
  for (const observer of observers)
    try {
      observer({ route, variant, instances, predictions, eventId: id, time, pin });
    } catch (error) {
      log('error', 'observer.failed', { requestId, reason: reason(error) });
    }
}

/** The endpoint's own limit; the one for all is the forms' to keep. A tensor of fixed size is no batch. */
function refuseTooMany({ settings }: Route, { manifest }: RouteVariant, instances: number): void {
  const most = settings.limits.instances;
  if (most === MAX_INSTANCES || instances <= most) return;
  if ('kind' in manifest && manifest.inputs.some(({ shape }) => shape[0] !== -1)) return;
  const message = `expected at most ${most} instances, the endpoint's limit, got ${instances}: send several requests`;
  throw refuse(422, 'TOO_MANY_INSTANCES', message, 'instances');
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
