/**
 * Rate limits and quotas of keys at the edge. The count of a key is kept by one object of its own (a Durable Object);
 * an isolate takes blocks of requests from it and spends them from memory. When the object does not answer, the isolate
 * counts alone: predictions go on (docs/decisions/009-limits-fail-to-each-isolate.md).
 */
import type { RouteKey } from './contract.ts';
import type { Pin } from './engine/index.ts';
import type { DurableObjectStorage } from './env.ts';
import { HttpError } from './errors.ts';
import { burstOf, DAY_MS, dayOf, type KeyLimits, type Lease, type Ledger, takeLease } from './lease.ts';
import { type Log, reason } from './log.ts';

/** Keys whose blocks an isolate remembers; only keys of routes get here. */
const MAX_KEYS = 10_000;
/** An object that takes longer is as good as none. */
const LEASE_TIMEOUT_MS = 1_000;
/** From this block size on the next block is fetched behind an answer, before the last one is spent. */
const AHEAD_FROM = 8;

export interface Limiter {
  /**
   * Spends one request of a key. @returns headers that tell what is left. @throws HttpError 429 RATE_LIMITED or
   * QUOTA_EXCEEDED, with Retry-After.
   */
  spend(key: RouteKey, pin: Pin): Promise<Record<string, string>>;
}

export interface LimiterParts {
  /** Asks the object that counts the key of this sha256. */
  lease: (sha256: string, limits: KeyLimits) => Promise<Lease>;
  wait: (ms: number) => Promise<void>;
  /** Milliseconds since 1970. */
  now: () => number;
  log: Log;
}

/** What an isolate has of a key. */
interface Holding {
  limits: KeyLimits;
  tokens: number;
  last: Lease | undefined;
  /** Before this nothing will be granted. */
  retryAt: number;
  renewing: Promise<void> | undefined;
  /** The count that the isolate keeps while nobody else does. */
  alone: Ledger | undefined;
}

/** True for a key that needs a limiter. */
export function isLimited({ requestsPerMinute, requestsPerDay }: RouteKey): boolean {
  return requestsPerMinute !== undefined || requestsPerDay !== undefined;
}

/** The limiter of an isolate. */
export function createLimiter(parts: LimiterParts): Limiter {
  const holdings = new Map<string, Holding>();
  return {
    async spend(key, pin) {
      const holding = holdingOf(holdings, key);
      if (holding.last && holding.last.day < dayOf(parts.now())) holding.tokens = 0; // yesterday's
      for (;;) {
        const now = parts.now();
        const { last } = holding;
        if (last && holding.tokens > 0) {
          holding.tokens--;
          if (last.granted >= AHEAD_FROM && holding.tokens === last.granted >> 2)
            void renew(parts, holding, key.sha256, pin);
          return rateHeaders(holding, last, now);
        }
        if (last && now < holding.retryAt) throw tooMany(holding, last, now);
        await renew(parts, holding, key.sha256, pin);
      }
    },
  };
}

function holdingOf(holdings: Map<string, Holding>, key: RouteKey): Holding {
  const { sha256, requestsPerMinute: perMinute, requestsPerDay: perDay } = key;
  const known = holdings.get(sha256);
  // A new revision of the route may have other limits.
  if (known?.limits.perMinute === perMinute && known?.limits.perDay === perDay && known) return known;
  const limits = { perMinute, perDay };
  const fresh = { limits, tokens: 0, last: undefined, retryAt: 0, renewing: undefined, alone: undefined };
  const [oldest] = holdings.keys();
  if (holdings.size >= MAX_KEYS && oldest !== undefined) holdings.delete(oldest);
  holdings.set(sha256, fresh);
  return fresh;
}

/** Takes the next block; requests that come meanwhile share it. */
function renew(parts: LimiterParts, holding: Holding, sha256: string, pin: Pin): Promise<void> {
  holding.renewing ??= (async () => {
    const lease = await ask(parts, holding, sha256);
    holding.last = lease;
    holding.tokens += lease.granted;
    holding.retryAt = parts.now() + lease.retryMs;
    holding.renewing = undefined;
  })();
  pin(holding.renewing); // shared with other requests: it must outlive this one
  return holding.renewing;
}

async function ask({ lease, wait, now, log }: LimiterParts, holding: Holding, sha256: string): Promise<Lease> {
  try {
    const late = wait(LEASE_TIMEOUT_MS).then(() => {
      throw new Error(`no lease within ${LEASE_TIMEOUT_MS} ms`);
    });
    const answer = await Promise.race([lease(sha256, holding.limits), late]);
    holding.alone = undefined;
    return answer;
  } catch (error) {
    log('error', 'limiter.unavailable', { reason: reason(error) });
    const [own, ledger] = takeLease(holding.limits, holding.alone, now());
    holding.alone = ledger;
    return own;
  }
}

function tooMany(holding: Holding, last: Lease, now: number): HttpError {
  const { perMinute, perDay } = holding.limits;
  const seconds = Math.max(1, Math.ceil((holding.retryAt - now) / 1000));
  const quota = last.refusal === 'QUOTA_EXCEEDED';
  const message = quota
    ? `this key may make ${perDay} requests a day (UTC), and has made them: wait ${seconds} s or use another key`
    : `this key may make ${perMinute} requests a minute, ${burstOf(perMinute ?? 1)} of them at once: wait ${seconds} s`;
  return new HttpError({
    status: 429,
    code: quota ? 'QUOTA_EXCEEDED' : 'RATE_LIMITED',
    message,
    headers: { 'retry-after': String(seconds), ...rateHeaders(holding, last, now) },
  });
}

/** As draft-ietf-httpapi-ratelimit-headers has them: the quota q per w seconds, and r left, all again in t seconds. */
function rateHeaders({ limits, tokens }: Holding, last: Lease, now: number): Record<string, string> {
  const policies: string[] = [];
  const left: string[] = [];
  const { perMinute, perDay } = limits;
  if (perMinute !== undefined) {
    const burst = burstOf(perMinute);
    const remaining = Math.min(burst, tokens + (last.minuteLeft ?? 0));
    policies.push(`"minute";q=${perMinute};w=60`);
    left.push(`"minute";r=${remaining};t=${Math.ceil(((burst - remaining) * 60) / perMinute)}`);
  }
  if (perDay !== undefined) {
    policies.push(`"day";q=${perDay};w=86400`);
    const seconds = Math.ceil((DAY_MS - (now % DAY_MS)) / 1000);
    left.push(`"day";r=${Math.min(perDay, tokens + (last.dayLeft ?? 0))};t=${seconds}`);
  }
  return { 'ratelimit-policy': policies.join(', '), ratelimit: left.join(', ') };
}

/** The count of one key over a Durable Object's storage: it outlives the object's memory. */
export function createLedger({ sql }: Pick<DurableObjectStorage, 'sql'>, now: () => number) {
  sql.exec(
    'create table if not exists ledger (id integer primary key, tokens real, at integer, day integer, used integer)',
  );
  const [row] = sql.exec('select tokens, at, day, used from ledger');
  let ledger: Ledger | undefined = row && {
    tokens: Number(row.tokens),
    at: Number(row.at),
    day: Number(row.day),
    used: Number(row.used),
  };
  return {
    /** The next block of requests. */
    lease(limits: KeyLimits): Lease {
      const [lease, after] = takeLease(limits, ledger, now());
      const { tokens, at, day, used } = after;
      sql.exec('insert or replace into ledger values (1, ?, ?, ?, ?)', tokens, at, day, used);
      ledger = after;
      return lease;
    },
  };
}
