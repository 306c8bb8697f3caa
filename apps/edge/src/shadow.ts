/**
 * Shadow variants: what another version would have answered, found out after the client has its answer. A shadow
 * neither delays nor fails an answer; how many wait at a time is bounded, and what finds no room is counted.
 */
import type { Route, ShadowVariant } from './contract.ts';
import { uuidv7 } from './digest.ts';
import type { Pin, SessionCache } from './engine/index.ts';
import { refusalOf } from './errors.ts';
import { eventOf, type Outcome } from './event.ts';
import { type Log, reason } from './log.ts';
import type { Recorder } from './recorder.ts';
import type { Answer, Work } from './serve.ts';

/** Shadow runs that an isolate has under way; each holds its request's rows. */
const MAX_PENDING = 16;
/** A run blocks the isolate's thread. Tried in workerd: after a timer's turn the answer is on its way. */
const AFTER_ANSWER_MS = 0;

/** What of this isolate's shadows is to be seen. */
export interface ShadowState {
  pending: number;
  /** Not run because too many were pending, since the isolate began. */
  skipped: number;
}

/** An answered request. */
export interface Answered {
  route: Route;
  /** Its event. */
  eventId: string;
  instances: number;
  work: Work<Answer>;
  requestId: string;
  pin: Pin;
}

export interface Shadows {
  /** Lets the route's shadows, each with its share as chance, do the same work later. Returns at once. */
  follow(answered: Answered): void;
  state(): ShadowState;
}

export interface ShadowParts {
  sessions: SessionCache;
  recorder: Pick<Recorder, 'record'>;
  wait: (ms: number) => Promise<void>;
  /** Milliseconds since 1970. */
  now: () => number;
  /** In [0, 1). */
  random: () => number;
  log: Log;
}

/** The shadows of an isolate. */
export function createShadows(parts: ShadowParts): Shadows {
  let pending = 0;
  let skipped = 0;
  return {
    follow(answered) {
      for (const shadow of answered.route.shadows) {
        if (parts.random() >= shadow.weight) continue;
        if (pending >= MAX_PENDING) {
          skipped++;
          continue;
        }
        pending++;
        const run = parts
          .wait(AFTER_ANSWER_MS)
          .then(() => runShadow(parts, shadow, answered))
          .catch((error) => parts.log('error', 'shadow.lost', { requestId: answered.requestId, reason: reason(error) }))
          .finally(() => {
            pending--;
          });
        answered.pin(run);
      }
    },
    state: () => ({ pending, skipped }),
  };
}

async function runShadow(parts: ShadowParts, variant: ShadowVariant, answered: Answered): Promise<void> {
  const { route, pin, work, instances } = answered;
  const started = performance.now();
  let outcome: Outcome;
  try {
    const { predictions, instances: rows } = await parts.sessions.with(
      variant.manifest.artifact.digest,
      pin,
      (session) => work(session, variant.manifest),
    );
    outcome = { predictions, instances: rows, errorCode: null };
  } catch (error) {
    outcome = { predictions: null, errorCode: refusalOf(error, answered.requestId).code };
  }
  const time = parts.now();
  const event = eventOf({
    id: uuidv7(time),
    ...{ route, variant, outcome, instances, time },
    durationMs: performance.now() - started,
    selectedBy: 'WEIGHT',
    shadowOf: answered.eventId,
  });
  await parts.recorder.record(event, route.events, pin);
}
