import { describe, expect, test } from 'vitest';
import { burstOf, DAY_MS, type KeyLimits, type Ledger, takeLease } from './lease.ts';

const NOON = 20_000 * DAY_MS + DAY_MS / 2;

/** What a key is granted at each of these times when it takes all that it can get. */
function taken(limits: KeyLimits, times: number[]): number[] {
  let ledger: Ledger | undefined;
  return times.map((time) => {
    let granted = 0;
    for (;;) {
      const [lease, after] = takeLease(limits, ledger, time);
      ledger = after;
      if (lease.granted === 0) return granted;
      granted += lease.granted;
    }
  });
}

describe('requests a minute', () => {
  test('begin with a burst and go on at the rate', () => {
    const times = [0, 1, 999, 1_000, 2_500, 60_000, 60_000].map((ms) => NOON + ms);
    expect(taken({ perMinute: 60 }, times)).toEqual([10, 0, 0, 1, 1, 10, 0]);
  });

  test('over any time are at most the rate and one burst', () => {
    for (const perMinute of [1, 7, 60, 1_000, 90_000]) {
      const times = Array.from({ length: 2_000 }, (_, i) => NOON + i * 137);
      const minutes = (1_999 * 137) / 60_000;
      const total = taken({ perMinute }, times).reduce((sum, n) => sum + n);
      expect(total).toBeLessThanOrEqual(perMinute * minutes + burstOf(perMinute));
      expect(total).toBeGreaterThan(perMinute * minutes - 1);
    }
  });

  test('say when the next one comes', () => {
    let ledger: Ledger | undefined;
    for (let i = 0; i < 10; i++) ledger = takeLease({ perMinute: 60 }, ledger, NOON)[1];
    const [lease] = takeLease({ perMinute: 60 }, ledger, NOON + 400);
    expect(lease).toMatchObject({ granted: 0, refusal: 'RATE_LIMITED', retryMs: 600 });
    expect(takeLease({ perMinute: 60 }, ledger, NOON + 1_000)[0].granted).toBe(1);
  });

  test('do not suffer from a clock that goes back', () => {
    expect(taken({ perMinute: 60 }, [NOON, NOON - 5_000, NOON + 1_000])).toEqual([10, 0, 1]);
  });
});

describe('requests a day', () => {
  test.each([1, 5, 1_000])('are exactly %i, and again after midnight (UTC)', (perDay) => {
    const midnight = 20_001 * DAY_MS;
    expect(taken({ perDay }, [NOON, NOON + 1, midnight - 1, midnight])).toEqual([perDay, 0, 0, perDay]);
    const [, spent] = takeLease({ perDay: 1 }, undefined, midnight - 1_500);
    const [lease] = takeLease({ perDay: 1 }, spent, midnight - 1_500);
    expect(lease).toMatchObject({ refusal: 'QUOTA_EXCEEDED', retryMs: 1_500, dayLeft: 0 });
  });

  test('are handed out in smaller blocks the fewer are left', () => {
    const blocks: number[] = [];
    let ledger: Ledger | undefined;
    for (let left = 1_000; left > 0; left -= blocks.at(-1) ?? left) {
      const [lease, after] = takeLease({ perDay: 1_000 }, ledger, NOON);
      ledger = after;
      blocks.push(lease.granted);
    }
    expect(blocks[0]).toBe(62);
    expect(blocks.slice(-31)).toEqual(new Array(31).fill(1));
    expect(blocks.length).toBeLessThan(100);
  });
});
