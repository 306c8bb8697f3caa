/** When ramps go on: in the background of every API process, as long as it lives. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PushDeps } from './edge-door.ts';
import type { Pause } from './edge-push.ts';
import { pushRevisions } from './endpoint.ts';
import { stepRamps } from './ramp.ts';

/** Between two looks for ramps whose time has come: a step is so much late at most. */
const LOOK_MS = 1_000;

const realPause: Pause = (ms, signal) => sleep(ms, undefined, { signal, ref: false }).catch(() => {});

/**
 * Takes ramps further until the signal, and pushes what it wrote; what the edge does not acknowledge at once stays with
 * the pusher. A process that dies loses nothing: the rows say what is next. Resolves when it has stopped.
 */
export async function startRamps(deps: PushDeps, signal: AbortSignal, pause: Pause = realPause): Promise<void> {
  const lost = (error: unknown) => {
    if (!signal.aborted) deps.log.error('pushing a ramp failed', { error: String(error) });
  };
  while (!signal.aborted) {
    try {
      const stepped = await stepRamps(deps);
      for (const { name, revision } of stepped) deps.log.info('a ramp went on', { endpoint: name, revision });
      void pushRevisions(deps, stepped).catch(lost); // others must not wait for an edge that is away
    } catch (error) {
      if (!signal.aborted) deps.log.error('taking ramps further failed', { error: String(error) });
    }
    await pause(LOOK_MS, signal);
  }
}
