/** Promises of the intervals: they cover at all times together, as often as they say, and find what is there. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../random.ts';
import { type Arm, dependentDifference, differenceInterval, logEvidence, rateInterval } from './sequential.ts';

const ALPHA = 0.05;
const arm = fc.nat(5000).chain((n) => fc.record({ n: fc.constant(n), hits: fc.nat(n) }));

describe('evidence', () => {
  it('of one trial is what paper gives', () => {
    // Jeffreys' prior gives a hit 1/2; both arms missed: 1/4 over sup (1-p)(1-p-0.5) = 1/2 at p = 0.
    expect(logEvidence({ n: 1, hits: 0 }, { n: 1, hits: 0 }, 0.5)).toBeCloseTo(Math.log(0.25 / 0.5), 12);
    expect(logEvidence({ n: 1, hits: 0 }, { n: 1, hits: 1 }, 0)).toBeCloseTo(Math.log(0.25 / 0.25), 12);
    // Two trials with one hit: B(3/2, 3/2) / B(1/2, 1/2) = 1/8, over 1/4 at p = 1/2.
    expect(logEvidence({ n: 2, hits: 1 }, { n: 0, hits: 0 }, 0)).toBeCloseTo(Math.log(0.125 / 0.25), 12);
    expect(logEvidence({ n: 1, hits: 1 }, { n: 1, hits: 1 }, -1)).toBe(Number.POSITIVE_INFINITY);
  });

  it('averages to one at most under the null: over all outcomes of small samples, whatever the rate', () => {
    const choose = (n: number, k: number): number => (k === 0 ? 1 : (choose(n - 1, k - 1) * n) / k);
    const chance = ({ n, hits }: Arm, p: number) => choose(n, hits) * p ** hits * (1 - p) ** (n - hits);
    for (const difference of [0, 0.1, -0.4])
      for (const rate of [0.05, 0.3, 0.5, 0.9].filter((p) => p + difference > 0 && p + difference < 1)) {
        let mean = 0;
        for (let i = 0; i <= 7; i++)
          for (let j = 0; j <= 4; j++) {
            const [a, b] = [
              { n: 7, hits: i },
              { n: 4, hits: j },
            ];
            mean += chance(a, rate) * chance(b, rate + difference) * Math.exp(logEvidence(a, b, difference));
          }
        expect(mean).toBeLessThanOrEqual(1 + 1e-9);
      }
  });
});

describe('an interval', () => {
  it('holds the estimate and ends where the evidence says', () => {
    fc.assert(
      fc.property(arm, arm, (a, b) => {
        const { low, high } = differenceInterval([{ a, b }], ALPHA);
        expect(low).toBeGreaterThanOrEqual(-1);
        expect(high).toBeLessThanOrEqual(1);
        if (a.n === 0 || b.n === 0) return;
        const estimate = b.hits / b.n - a.hits / a.n;
        expect(low).toBeLessThanOrEqual(estimate);
        expect(high).toBeGreaterThanOrEqual(estimate);
        for (const end of [low, high].filter((value) => Math.abs(value) < 0.999))
          expect(logEvidence(a, b, end)).toBeCloseTo(-Math.log(ALPHA), 3);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it('is the mirror image when arms, or hits and misses, change places', () => {
    const missed = ({ n, hits }: Arm) => ({ n, hits: n - hits });
    fc.assert(
      fc.property(arm, arm, fc.boolean(), (a, b, dependent) => {
        const of = (x: Arm, y: Arm) =>
          dependent ? dependentDifference({ a: x, b: y }, ALPHA) : differenceInterval([{ a: x, b: y }], ALPHA);
        const { low, high } = of(a, b);
        for (const other of [of(b, a), of(missed(a), missed(b))]) {
          expect(other.low).toBeCloseTo(-high, 9);
          expect(other.high).toBeCloseTo(-low, 9);
        }
      }),
      { seed: 2, numRuns: 200 },
    );
  });

  it('is narrower with more trials and wider with a smaller alpha', () => {
    const width = ({ low, high }: { low: number; high: number }) => high - low;
    const at = (n: number, alpha: number) =>
      width(differenceInterval([{ a: { n, hits: n / 5 }, b: { n, hits: n / 5 } }], alpha));
    expect(at(10_000, 0.05)).toBeLessThan(at(1000, 0.05) / 2);
    expect(at(1000, 0.01)).toBeGreaterThan(at(1000, 0.05));
    expect(width(rateInterval({ n: 1_000_000, hits: 1 }, 0.05))).toBeLessThan(3e-5);
    expect(rateInterval({ n: 0, hits: 0 }, 0.05)).toEqual({ low: 0, high: 1 });
  });
});

describe('strata', () => {
  const quiet = { a: { n: 9000, hits: 90 }, b: { n: 1000, hits: 10 } };
  const busy = { a: { n: 1000, hits: 200 }, b: { n: 1000, hits: 200 } };

  it('keep a bad hour at another share from looking like the challenger', () => {
    const pooled = { a: { n: 10_000, hits: 290 }, b: { n: 2000, hits: 210 } };
    expect(differenceInterval([pooled], ALPHA).low).toBeGreaterThan(0.03);
    const { low, high } = differenceInterval([quiet, busy], ALPHA);
    expect(low).toBeLessThan(0);
    expect(high).toBeGreaterThan(0);
  });

  it('show a challenger that is bad at one share alone', () => {
    const broken = { a: { n: 1000, hits: 10 }, b: { n: 1000, hits: 300 } };
    expect(differenceInterval([quiet, broken], ALPHA).low).toBeGreaterThan(0.2);
  });

  it('add up: two halves say nearly what the whole says, and an empty one says nothing', () => {
    const half = { a: { n: 5000, hits: 1000 }, b: { n: 5000, hits: 1200 } };
    const whole = differenceInterval([{ a: { n: 10_000, hits: 2000 }, b: { n: 10_000, hits: 2400 } }], ALPHA);
    const halves = differenceInterval([half, half], ALPHA);
    expect(halves.low).toBeLessThan(whole.low);
    expect(halves.low).toBeGreaterThan(0);
    const empty = { a: { n: 0, hits: 0 }, b: { n: 100, hits: 100 } };
    expect(differenceInterval([half, empty], ALPHA)).toEqual(differenceInterval([half], ALPHA));
  });
});

/** One experiment that is looked at after every observation; true when a difference of zero is ever refuted. */
function refutedEver(seed: number, rates: [number, number], share: number, observations: number): boolean {
  const random = seededRandom(seed);
  const arms: [Arm, Arm] = [
    { n: 0, hits: 0 },
    { n: 0, hits: 0 },
  ];
  for (let t = 0; t < observations; t++) {
    const which = random.uniform() < share ? 1 : 0;
    arms[which].n++;
    if (random.uniform() < rates[which]) arms[which].hits++;
    if (logEvidence(arms[0], arms[1], 0) >= -Math.log(ALPHA)) return true;
  }
  return false;
}

describe('looking after every observation', () => {
  it('alarms falsely in at most alpha of 2,000 experiments of equal arms', () => {
    const rates = [0.5, 0.15, 0.02, 0.002];
    let alarms = 0;
    for (let i = 0; i < 2000; i++) {
      const rate = rates[i % rates.length] ?? 0.5;
      if (refutedEver(i, [rate, rate], i % 3 === 0 ? 0.5 : 0.1, 5000)) alarms++;
    }
    expect(alarms).toBeLessThanOrEqual(2000 * ALPHA);
  }, 120_000);

  it('of the same cases (a shadow) alarms falsely in at most alpha of the experiments', () => {
    let alarms = 0;
    for (let i = 0; i < 300; i++) {
      const random = seededRandom(i);
      const [a, b] = [
        { n: 0, hits: 0 },
        { n: 0, hits: 0 },
      ];
      for (let t = 0; t < 1000; t++) {
        const hard = random.uniform() < 0.2; // both fail together, or exactly one of them: the worst dependence
        a.n++;
        b.n++;
        const opposite = i % 2 === 1 && random.uniform() < 0.5;
        if (hard && !opposite) a.hits++;
        if (hard && (i % 2 === 0 || opposite)) b.hits++;
        if (t % 20 !== 19) continue;
        const { low, high } = dependentDifference({ a, b }, ALPHA);
        const truth = 0;
        if (low > truth || high < truth) {
          alarms++;
          break;
        }
      }
    }
    expect(alarms).toBeLessThanOrEqual(300 * ALPHA);
  }, 60_000);

  it('finds a difference of 10 points, mostly within 4,000 requests at 10 %', () => {
    let found = 0;
    for (let i = 0; i < 100; i++) if (refutedEver(i, [0.15, 0.25], 0.1, 8000)) found++;
    expect(found).toBeGreaterThanOrEqual(95);
    let soon = 0;
    for (let i = 0; i < 100; i++) if (refutedEver(i, [0.01, 1], 0.1, 150)) soon++;
    expect(soon).toBe(100); // an arm that only fails is found within some fifteen of its requests
  }, 60_000);
});
