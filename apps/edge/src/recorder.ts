/**
 * Events on their way from a request to the outbox. DURABLE: appended before the answer. BUFFERED: gathered in the
 * isolate and appended in batches, at most 50 ms later. Knows neither storage nor the API.
 *
 * workerd cancels a request that waits for work begun by another one, so no flush is shared: the request that finds
 * the buffer empty pins a timer and a flush of its own to itself, the others only push.
 */
import type { EdgeEvent } from '@anneal/api/contract';
import type { EventDelivery } from './contract.ts';
import type { Pin } from './engine/index.ts';
import { type Log, reason } from './log.ts';

/** What a crash of the isolate can lose at most. */
const FLUSH_AFTER_MS = 50;
/** A batch goes at once when it has so many events, or instances: an event has some 60 bytes for each. */
const MAX_BATCH_EVENTS = 500;
const MAX_BATCH_INSTANCES = 5_000;
/** An instance with logged columns is so much larger. */
const SLICES_WEIGHT = 5;
/** Of a sketch's column, and of a request's raw rows, of which there is no telling how large they are. */
const COLUMN_WEIGHT = 5;
const SAMPLE_WEIGHT = 1_000;
/** A flush that is this late was killed with its request: the next request takes its place. */
const OVERDUE_MS = 1_000;
/** Events in the isolate's memory while the outbox does not answer; further ones are lost and counted. */
const MAX_HELD_EVENTS = 10_000;
/** 50, 100, 200 and 400 ms apart; a Durable Object that moves answers again within that. */
const MAX_ATTEMPTS = 5;

export interface RecorderParts {
  /** Appends events, as JSON texts, to the outbox; durable when it resolves. */
  append: (bodies: string[]) => Promise<void>;
  wait: (ms: number) => Promise<void>;
  /** Milliseconds since 1970. */
  now: () => number;
  log: Log;
}

export interface RecorderState {
  /** Events that a crash at this moment would lose. */
  buffered: number;
  /** Events that the outbox refused again and again, or that there was no room for, since the isolate began. */
  lost: number;
}

/**
 * An event that is made when its batch goes: after the answer, and many in a row, where the code is warm. What it pins
 * belongs to the flush, not to its own request, which has ended. It must not throw.
 */
export interface LateEvent {
  make: (pin: Pin) => EdgeEvent;
  /** Its size in plain instances. */
  weight: number;
}

export interface Recorder {
  /** A promise only for DURABLE: the answer waits for it, and fails when it rejects. */
  record(event: EdgeEvent, delivery: EventDelivery, pin: Pin): Promise<void> | undefined;
  /** BUFFERED. */
  recordLater(event: LateEvent, pin: Pin): void;
  /** Makes the events that are yet to be made. */
  settle(pin: Pin): void;
  state(): RecorderState;
}

/** The size of a prediction event in plain instances; of other events their own. */
export function predictionWeight(instances: number, slices: boolean): number {
  return instances * (slices ? SLICES_WEIGHT : 1);
}

function weightOf(event: EdgeEvent): number {
  if (!('kind' in event)) return predictionWeight(event.instances, event.slices !== undefined);
  if (event.kind === 'SKETCH') return event.columns.length * COLUMN_WEIGHT;
  return event.kind === 'SAMPLE' ? SAMPLE_WEIGHT : 1;
}

const made = (event: EdgeEvent | LateEvent, pin: Pin): EdgeEvent => ('make' in event ? event.make(pin) : event);

/** Tries several times: a repeat may be one, which the API knows by its id. @throws what the last attempt met. */
async function appendAgain({ append, wait }: Pick<RecorderParts, 'append' | 'wait'>, bodies: string[]): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await append(bodies);
    } catch (error) {
      if (attempt === MAX_ATTEMPTS) throw error;
      await wait(FLUSH_AFTER_MS * 2 ** (attempt - 1));
    }
  }
}

/** An empty recorder; an isolate has one. */
export function createRecorder({ append, wait, now, log }: RecorderParts): Recorder {
  let buffer: (EdgeEvent | LateEvent)[] = [];
  let instances = 0;
  let since = 0;
  /** Events in the buffer and in batches under way. */
  let held = 0;
  let lost = 0;

  const lose = (count: number, why: string) => {
    lost += count;
    log('error', 'events.lost', { count, lost, reason: why });
  };

  async function flush(pin: Pin): Promise<void> {
    const events = buffer;
    if (events.length === 0) return; // a full buffer went before its time
    buffer = [];
    instances = 0;
    try {
      // After the answer: a thousand instances cost 0.3 ms.
      const bodies = events.map((event) => JSON.stringify(made(event, pin)));
      await appendAgain({ append, wait }, bodies);
    } catch (error) {
      lose(events.length, reason(error));
    }
    held -= events.length;
  }

  function keep(event: EdgeEvent | LateEvent, weight: number, pin: Pin): void {
    if (held >= MAX_HELD_EVENTS) {
      lose(1, `${held} events are waiting for the outbox already`);
      return;
    }
    held++;
    buffer.push(event);
    instances += weight;
    if (buffer.length >= MAX_BATCH_EVENTS || instances >= MAX_BATCH_INSTANCES) pin(flush(pin));
    else if (buffer.length === 1) {
      since = now();
      pin(wait(FLUSH_AFTER_MS).then(() => flush(pin)));
    } else if (now() - since > OVERDUE_MS) pin(flush(pin));
  }

  return {
    record(event, delivery, pin) {
      if (delivery === 'DURABLE') return append([JSON.stringify(event)]);
      keep(event, weightOf(event), pin);
      return undefined;
    },
    recordLater: (event, pin) => keep(event, event.weight, pin),
    settle(pin) {
      for (const [i, event] of buffer.entries()) buffer[i] = made(event, pin);
    },
    state: () => ({ buffered: held, lost }),
  };
}
