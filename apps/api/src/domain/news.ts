/**
 * Waiting for news of a topic. Notifications can be lost (a broken connection), so waiting is always bounded and
 * whoever waits looks at the rows again, news or not.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { PubSub, Topic } from '../deps.ts';

/** Listens from the moment it is made: what happens before the first wait is not missed. */
export interface News {
  /** Ends with the next news, after `ms`, or with the signal. */
  wait(ms: number): Promise<void>;
  close(): Promise<void>;
}

/** Opens the news of a topic, of one id if given. */
export function listen(pubsub: PubSub, topic: Topic, options: { id?: string; signal?: AbortSignal } = {}): News {
  const ending = new AbortController();
  const signal = options.signal ? AbortSignal.any([ending.signal, options.signal]) : ending.signal;
  const events = pubsub.subscribe(topic, { id: options.id, signal });
  let next = events.next();
  let over = false;
  return {
    async wait(ms) {
      const timer = new AbortController();
      const heard = next.then(({ done }) => {
        // After the end there is no more news: only the time ends a wait.
        over = done === true;
        next = over ? new Promise(() => {}) : events.next();
      });
      await Promise.race([heard, delay(ms, undefined, { signal: AbortSignal.any([timer.signal, signal]) })]).catch(
        (error: unknown) => {
          if (!signal.aborted) throw error;
        },
      );
      timer.abort();
    },
    async close() {
      ending.abort();
      if (!over) await next.catch(() => {});
    },
  };
}
