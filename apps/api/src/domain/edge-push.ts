/** When to push: until the edge acknowledges or the caller's patience ends; in the background as long as it takes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type PushDeps, PushError, pushNewest } from './edge-door.ts';

/** Longest that one attempt may take: an edge that accepts and never answers must not hold the others up. */
const ATTEMPT_MS = 30_000;
/** Between two looks for revisions that no edge has acknowledged; what deploys itself does not wait for it. */
const IDLE_MS = 5_000;
const MAX_PAUSE_MS = 30_000;
/** What deploy waits for the edge unless `deps.edge.waitMs` says otherwise. */
const WAIT_MS = 10_000;

/** Ends after the time or with the signal, never with an error. */
export type Pause = (ms: number, signal: AbortSignal) => Promise<void>;
const realPause: Pause = (ms, signal) => sleep(ms, undefined, { signal }).catch(() => {});

/** 100 ms doubled per attempt, up to a limit: soon enough after a blip, rare enough for a long outage. */
export const backoff = (attempt: number, limit: number) => Math.min(limit, 100 * 2 ** Math.min(attempt, 20));

export type Acknowledgement = { acknowledged: true } | { acknowledged: false; refused: boolean; reason: string };

/**
 * Pushes until the edge serves at least that revision, 10 s at most. What is not acknowledged by then, the background
 * pusher of this or any other process goes on with.
 */
export async function awaitAcknowledgement(
  deps: PushDeps,
  endpoint: { id: string; revision: number },
  pause: Pause = realPause,
): Promise<Acknowledgement> {
  const deadline = AbortSignal.timeout(deps.edge.waitMs ?? WAIT_MS);
  let reason = 'it did not answer in time';
  for (let attempt = 0; !deadline.aborted; attempt++) {
    try {
      if ((await pushNewest(deps, endpoint.id, deadline)) >= endpoint.revision) return { acknowledged: true };
    } catch (error) {
      if (!(error instanceof PushError)) throw error;
      if (error.refused) return { acknowledged: false, refused: true, reason: error.message };
      if (!deadline.aborted) reason = error.message;
    }
    await pause(backoff(attempt, 1000), deadline);
  }
  return { acknowledged: false, refused: false, reason };
}

/**
 * Pushes the newest revision of every endpoint that the edge has not acknowledged, at once and again with growing
 * pauses, until the signal. Resolves when it has stopped.
 */
export async function startPusher(deps: PushDeps, signal: AbortSignal, pause: Pause = realPause): Promise<void> {
  for (let failures = 0; !signal.aborted; ) {
    const ok = await pushPending(deps, signal).catch((error: unknown) => {
      if (!signal.aborted) deps.log.error('looking for unacknowledged routes failed', { error: String(error) });
      return false;
    });
    failures = ok ? 0 : failures + 1;
    await pause(ok ? IDLE_MS : backoff(failures + 2, MAX_PAUSE_MS), signal);
  }
}

/** One round over all endpoints; one that fails does not keep the others. True when nothing is left to push. */
async function pushPending(deps: PushDeps, signal: AbortSignal): Promise<boolean> {
  const pending = await deps.prisma.$queryRaw<{ id: string; name: string; revision: number }[]>`
    SELECT e.id::text, e.name, e.revision FROM "Endpoint" e
    JOIN "EndpointRevision" r ON r."endpointId" = e.id AND r.number = e.revision
    WHERE r."acknowledgedAt" IS NULL ORDER BY e.id`;
  let ok = true;
  for (const { id, name, revision } of pending) {
    if (signal.aborted) return false;
    try {
      await pushNewest(deps, id, AbortSignal.any([signal, AbortSignal.timeout(ATTEMPT_MS)]));
    } catch (error) {
      ok = false;
      deps.log.warn('the edge has not acknowledged a route yet', { endpoint: name, revision, error: String(error) });
    }
  }
  return ok;
}
