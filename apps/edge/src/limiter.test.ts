import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import type { RouteKey } from './contract.ts';
import type { DurableObjectStorage } from './env.ts';
import { HttpError } from './errors.ts';
import { DAY_MS, type KeyLimits } from './lease.ts';
import { createLedger, createLimiter, type Limiter } from './limiter.ts';

const NOON = 20_000 * DAY_MS + DAY_MS / 2;
const SHA256 = 'a'.repeat(64);
const key = (limits: Partial<RouteKey>): RouteKey => ({ sha256: SHA256, scopes: ['predict'], ...limits });

/** A Durable Object's SQL over a real SQLite. */
function storage(database: DatabaseSync): Pick<DurableObjectStorage, 'sql'> {
  const exec: DurableObjectStorage['sql']['exec'] = (query, ...bindings) => {
    const statement = database.prepare(query);
    if (!/^select/.test(query)) {
      statement.run(...bindings);
      return [];
    }
    return statement.all(...bindings).map((row) => {
      const cells = Object.entries(row).map(([name, value]) => [name, typeof value === 'number' ? value : null]);
      return Object.fromEntries(cells);
    });
  };
  return { sql: { exec } };
}

/** A clock, the object that counts, and isolates that share it. */
function world(isolates: number) {
  const state = { now: NOON, asked: 0, down: false };
  const now = () => state.now;
  const database = new DatabaseSync(':memory:');
  let ledger = createLedger(storage(database), now);
  const lease = async (_: string, limits: KeyLimits) => {
    state.asked++;
    if (state.down) throw new Error('unreachable');
    return ledger.lease(limits);
  };
  const logged: string[] = [];
  const log = (_level: string, event: string) => void logged.push(event);
  const limiters = Array.from({ length: isolates }, () =>
    createLimiter({ lease, wait: () => new Promise(() => {}), now, log }),
  );
  const evict = () => {
    ledger = createLedger(storage(database), now);
  };
  return { state, limiters, logged, evict };
}

/** The status of each of `count` requests, by the isolates in turn: 200 or the refusal's code. */
async function ask(limiters: Limiter[], limits: Partial<RouteKey>, count: number): Promise<(string | 200)[]> {
  const statuses: (string | 200)[] = [];
  for (let i = 0; i < count; i++) {
    const limiter = limiters[i % limiters.length];
    if (!limiter) throw new Error('no isolate');
    try {
      await limiter.spend(key(limits), () => {});
      statuses.push(200);
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      statuses.push(error.refusal.code);
    }
  }
  return statuses;
}
const passed = (statuses: (string | 200)[]) => statuses.filter((status) => status === 200).length;

describe('a limiter', () => {
  test('never lets more through than a day has, whatever the number of isolates', async () => {
    const { state, limiters } = world(7);
    const statuses = await ask(limiters, { requestsPerDay: 500 }, 1_000);
    expect(passed(statuses)).toBe(500);
    expect(statuses.at(-1)).toBe('QUOTA_EXCEEDED');
    expect(state.asked).toBeLessThan(200);
    state.now += DAY_MS;
    expect(passed(await ask(limiters, { requestsPerDay: 500 }, 1_000))).toBe(500);
  });

  test('shares a minute between isolates, and asks seldom', async () => {
    const { state, limiters } = world(4);
    expect(passed(await ask(limiters, { requestsPerMinute: 6_000 }, 3_000))).toBe(1_000);
    expect(state.asked).toBeLessThan(60);
    state.asked = 0;
    await ask(limiters, { requestsPerMinute: 6_000 }, 1_000);
    expect(state.asked).toBe(0); // what is refused is refused from memory
    state.now += 1_000;
    expect(passed(await ask(limiters, { requestsPerMinute: 6_000 }, 500))).toBe(100);
  });

  test('requests at once share a block', async () => {
    const { state, limiters } = world(1);
    const [limiter] = limiters;
    if (!limiter) throw new Error('no isolate');
    const spends = Array.from({ length: 300 }, () => limiter.spend(key({ requestsPerMinute: 600 }), () => {}));
    const settled = await Promise.allSettled(spends);
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(100);
    expect(state.asked).toBeLessThan(40);
  });

  test('the count outlives its object, and a new limit holds at once', async () => {
    const { limiters, evict } = world(1);
    expect(passed(await ask(limiters, { requestsPerDay: 10 }, 6))).toBe(6);
    evict();
    expect(passed(await ask(limiters, { requestsPerDay: 10 }, 20))).toBe(4);
    expect(passed(await ask(limiters, { requestsPerDay: 12 }, 20))).toBe(2);
  });

  test('counts alone while the object does not answer, and says so', async () => {
    const { state, limiters, logged } = world(2);
    state.down = true;
    expect(passed(await ask(limiters, { requestsPerDay: 10 }, 100))).toBe(20); // ten by each isolate
    expect(logged).toContain('limiter.unavailable');
    state.down = false;
    state.now += DAY_MS;
    expect(passed(await ask(limiters, { requestsPerDay: 10 }, 100))).toBe(10);
  });
});
