/** Housekeeping in the background: event rows and samples are kept for a time, roll-ups for good. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Deps } from '../deps.ts';
import { deleteOldSketches } from './column-rollup.ts';
import { deleteOldEvents } from './prediction-events.ts';
import { deleteExpiredSamples } from './sampled-input.ts';

const HOUR_MS = 3_600_000;

/** Deletes old event rows at once and every hour until the signal; resolves when it has stopped. */
export async function startRetention(
  deps: Pick<Deps, 'prisma' | 'now' | 'log'>,
  options: { days: number; signal: AbortSignal },
): Promise<void> {
  const { days, signal } = options;
  while (!signal.aborted) {
    try {
      const deleted = await deleteOldEvents(deps, days);
      if (deleted > 0) deps.log.info('old prediction events deleted', { deleted, days });
      await deleteOldSketches(deps, days);
      const expired = await deleteExpiredSamples(deps);
      if (expired > 0) deps.log.info('expired samples deleted', { expired });
    } catch (error) {
      if (!signal.aborted) deps.log.error('deleting old prediction events failed', { error: String(error) });
    }
    await sleep(HOUR_MS, undefined, { signal, ref: false }).catch(() => {});
  }
}
