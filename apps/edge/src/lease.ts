/**
 * How many requests a key may make: a token bucket by the minute and a count by the UTC day, handed out in blocks, so
 * that whoever holds a block need not ask for every request. Pure arithmetic: knows no clock and no storage.
 */

/** Absent = no limit. */
export interface KeyLimits {
  perMinute?: number | undefined;
  perDay?: number | undefined;
}

/** What is kept of a key between two leases. */
export interface Ledger {
  /** In the bucket at the time `at`. */
  tokens: number;
  /** Milliseconds since 1970. */
  at: number;
  /** Days since 1970; `used` requests of it were handed out. */
  day: number;
  used: number;
}

/** A block of requests, or none and why. */
export interface Lease {
  granted: number;
  /** Left in the bucket and of the day behind this lease; null without such a limit. */
  minuteLeft: number | null;
  dayLeft: number | null;
  /** Days since 1970: a block is good for the day that it was counted to. */
  day: number;
  /** Why nothing was granted. */
  refusal: 'RATE_LIMITED' | 'QUOTA_EXCEEDED' | null;
  /** Milliseconds until it is worth asking again, 0 when something was granted. */
  retryMs: number;
}

export const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
/** The largest block: what a crash of an isolate can lose of a key's day. */
const MAX_BLOCK = 100;
/** A block is a small part of what is left, so that several isolates get on together and the last ones are single. */
const SHARES = 16;

/** Requests that may come at once after a pause: ten seconds' worth. */
export function burstOf(perMinute: number): number {
  return Math.max(1, Math.floor(perMinute / 6));
}

/** Days since 1970. */
export function dayOf(time: number): number {
  return Math.floor(time / DAY_MS);
}

/** The next block, and what to keep. A key that was never seen begins with a full bucket. */
export function takeLease({ perMinute, perDay }: KeyLimits, before: Ledger | undefined, now: number): [Lease, Ledger] {
  const day = Math.max(dayOf(now), before?.day ?? 0); // a clock that goes back starts no day again
  const used = before?.day === day ? before.used : 0;
  const tokens = perMinute === undefined ? 0 : refilled(perMinute, before, now);
  const left = perDay === undefined ? null : Math.max(0, perDay - used);
  const granted = Math.min(
    MAX_BLOCK,
    perMinute === undefined ? MAX_BLOCK : Math.min(Math.floor(tokens), share(burstOf(perMinute))),
    left === null ? MAX_BLOCK : Math.min(left, share(left)),
  );
  const after: Ledger = {
    tokens: perMinute === undefined ? 0 : tokens - granted,
    at: Math.max(now, before?.at ?? 0),
    day,
    used: used + granted,
  };
  const lease: Lease = {
    granted,
    minuteLeft: perMinute === undefined ? null : Math.floor(after.tokens),
    dayLeft: left === null ? null : left - granted,
    day,
    refusal: granted > 0 ? null : left === 0 ? 'QUOTA_EXCEEDED' : 'RATE_LIMITED',
    retryMs: 0,
  };
  if (lease.refusal === 'QUOTA_EXCEEDED') lease.retryMs = Math.max(1, (day + 1) * DAY_MS - now);
  if (lease.refusal === 'RATE_LIMITED')
    lease.retryMs = Math.max(1, Math.ceil(((1 - tokens) * MINUTE_MS) / (perMinute ?? 1)));
  return [lease, after];
}

function refilled(perMinute: number, before: Ledger | undefined, now: number): number {
  const burst = burstOf(perMinute);
  if (!before) return burst;
  const elapsed = Math.max(0, now - before.at);
  return Math.min(burst, before.tokens + (elapsed * perMinute) / MINUTE_MS);
}

const share = (of: number) => Math.max(1, Math.floor(of / SHARES));
