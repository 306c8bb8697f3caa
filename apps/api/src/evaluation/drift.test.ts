/** Distances between two samples' bins, against SciPy 1.17 (chi2_contingency, chi2.sf, jensenshannon base 2). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chiSquare, differenceOf, jensenShannon, populationStability, severityOf } from './drift.ts';
import { chiSquareTail, logGamma } from './gamma.ts';

/** Mulberry32, in [0, 1). */
function uniform(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe('the chi-square tail', () => {
  it.each([
    [3.841458820694124, 1, 0.05],
    [0.5, 4, 0.9735009788392561],
    [18.307, 10, 0.05000058909139812],
    [90, 100, 0.7531979655998298],
    [1e-3, 2, 0.9995001249791693],
    [200, 10, 1.6139305336977317e-37],
    [0, 3, 1],
  ])('of %d with %d degrees of freedom is %d', (statistic, freedom, expected) => {
    expect(Math.abs(chiSquareTail(statistic, freedom) / expected - 1)).toBeLessThan(1e-11);
  });

  it('knows the gamma function', () => {
    expect(logGamma(6)).toBeCloseTo(Math.log(120), 12);
    expect(logGamma(0.5)).toBeCloseTo(Math.log(Math.PI) / 2, 12);
    expect(logGamma(0.25)).toBeCloseTo(1.2880225246980774, 12); // ln 3.625609908221908
  });
});

describe('two samples', () => {
  it.each([
    {
      a: Array(10).fill(100),
      b: [120, 80, 95, 105, 90, 110, 100, 100, 130, 70],
      psi: 0.029187602661756414,
      distance: 0.07243371459294826,
      test: [14.500227779105218, 9, 0.10561067789367874],
    },
    {
      a: [1000, 2000, 3000],
      b: [150, 200, 50],
      psi: 0.7563816984830549,
      distance: 0.3586919338821851,
      test: [231.53847815287588, 2, 5.273006357712937e-51],
    },
    {
      a: [50, 30, 20],
      b: [40, 40, 20],
      psi: 0.051082562376599076, // 0.1 ln(5/4) + 0.1 ln(4/3)
      distance: 0.09584323377689244,
      test: [2.5396825396825395, 2, 0.28087620176428163],
    },
    {
      a: [100, 100, 0],
      b: [50, 50, 50],
      psi: 1.7538736582032457, // the empty bin as half a row: 0.0025
      distance: 0.4368918683394205,
      test: [77.7777777777778, 2, 1.290536072345073e-17],
    },
  ])('$a and $b', ({ a, b, psi, distance, test }) => {
    expect(populationStability(a, b)).toBeCloseTo(psi, 12);
    expect(jensenShannon(a, b)).toBeCloseTo(distance, 12);
    const found = chiSquare(a, b);
    expect(found?.statistic).toBeCloseTo(test[0] ?? 0, 10);
    expect(found?.degreesOfFreedom).toBe(test[1]);
    expect(Math.abs((found?.pValue ?? 0) / (test[2] ?? 1) - 1)).toBeLessThan(1e-10);
  });

  it('tests bins of too few rows together', () => {
    const pooled = chiSquare([50, 40, 1, 2], [60, 30, 1, 1]); // 50 | 40 | 3 and 60 | 30 | 2
    expect(pooled).toMatchObject({ degreesOfFreedom: 2 });
    expect(pooled?.statistic).toBeCloseTo(2.5323309229340105, 10);
  });

  it('have no distance where one has no rows, and no test with fewer than two bins', () => {
    const nothing = { psi: null, jensenShannon: null, chiSquare: null, severity: null };
    expect(differenceOf({ n: 9, missing: 0, counts: [4, 5] }, { n: 0, missing: 0, counts: [0, 0] })).toEqual(nothing);
    expect(differenceOf({ n: 0, missing: 0, counts: [0] }, { n: 1, missing: 0, counts: [1] })).toEqual(nothing);
    expect(chiSquare([100], [200])).toBeNull();
    expect(chiSquare([3, 3], [3, 3])).toBeNull();
    expect(populationStability([100], [3])).toBe(0);
  });

  it('that lack values differ, where the others do not', () => {
    const whole = { n: 1000, missing: 0, counts: [500, 500] };
    expect(differenceOf(whole, { n: 1000, missing: 300, counts: [350, 350] }).severity).toBe('MAJOR');
  });

  it('are near by the customary bounds of the PSI, or where chance explains it', () => {
    expect([0.0999, 0.1, 0.2499, 0.25].map((psi) => severityOf(psi, 1e-9))).toEqual([
      'NONE',
      'MODERATE',
      'MODERATE',
      'MAJOR',
    ]);
    expect(severityOf(0.5, 0.01)).toBe('NONE');
    expect(severityOf(null, 0)).toBeNull();
    // Ten rows in ten bins: PSI 0.2 by chance alone.
    const few = { n: 10, missing: 0, counts: [2, 0, 1, 1, 1, 0, 2, 1, 1, 1] };
    const difference = differenceOf({ n: 10_000, missing: 0, counts: Array(10).fill(1000) }, few);
    expect(difference.psi).toBeGreaterThan(0.2);
    expect(difference.chiSquare).toBeNull();
    expect(difference.severity).toBe('NONE');
  });

  it('differ where a new category takes the place of an old one, however few rows came', () => {
    const expected = { n: 100_000, missing: 0, counts: [30_000, 70_000, 0] };
    const replaced = differenceOf(expected, { n: 1000, missing: 0, counts: [0, 700, 300] });
    expect(replaced.severity).toBe('MAJOR');
    expect(replaced.chiSquare?.pValue).toBeLessThan(1e-50);
    expect(differenceOf(expected, { n: 5, missing: 0, counts: [0, 0, 5] }).severity).toBe('MAJOR');
  });

  it('of one distribution are rarely apart, whatever their sizes', () => {
    const random = uniform(1);
    const draw = (n: number) => {
      const counts = Array<number>(10).fill(0);
      for (let i = 0; i < n; i++) {
        const bin = Math.floor(random() * 10);
        counts[bin] = (counts[bin] ?? 0) + 1;
      }
      return { n, missing: 0, counts };
    };
    const sizes = [20, 50, 100, 200, 500];
    const flagged = sizes.map((n) => {
      const found = Array.from({ length: 200 }, () => differenceOf(draw(2000), draw(n)).severity);
      return found.filter((severity) => severity !== 'NONE').length;
    });
    expect(Math.max(...flagged), String(flagged)).toBeLessThanOrEqual(8); // 1 % of 200 is 2
  });

  it('are as far apart whichever comes first, whatever the order and the scale of the bins', () => {
    const pairs = fc.array(fc.tuple(fc.nat(5000), fc.nat(5000)), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(pairs, (bins) => {
        const [a, b] = [bins.map(([x]) => x), bins.map(([, y]) => y)];
        const [psi, distance, test] = [populationStability(a, b), jensenShannon(a, b), chiSquare(a, b)];
        if (psi === null || distance === null) return a.every((x) => x === 0) || b.every((x) => x === 0);
        const close = (x: number | null | undefined, y: number) => Math.abs((x ?? Number.NaN) - y) <= 1e-9 * (1 + y);
        const scaled = jensenShannon(
          a.map((x) => x * 7),
          b,
        );
        return (
          psi >= 0 &&
          distance >= 0 &&
          distance <= 1 &&
          close(populationStability(b, a), psi) &&
          close(jensenShannon(b, a), distance) &&
          close(jensenShannon(a.toReversed(), b.toReversed()), distance) &&
          close(scaled, distance) &&
          (test === null ||
            (test.pValue >= 0 && test.pValue <= 1 && close(chiSquare(b, a)?.statistic, test.statistic))) &&
          populationStability(a, a) === 0 &&
          jensenShannon(b, b) === 0
        );
      }),
    );
  });
});
