/** Random draws against their exact distributions. */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../random.ts';
import { binomial, logFactorials, multinomial } from './multinomial.ts';

const DRAWS = 40_000;

/** Largest distance between the drawn and the true distribution function, in units of 1/sqrt(draws). */
function kolmogorov(n: number, p: number): number {
  const logFactorial = logFactorials(n);
  const random = seededRandom(1);
  const seen = new Float64Array(n + 1);
  for (let i = 0; i < DRAWS; i++) {
    const k = binomial(n, p, random, logFactorial);
    seen[k] = (seen[k] ?? Number.NaN) + 1 / DRAWS;
  }
  const ln = (k: number) => logFactorial[k] ?? 0;
  let [distance, drawn, expected] = [0, 0, 0];
  for (let k = 0; k <= n; k++) {
    drawn += seen[k] ?? 0;
    expected += Math.exp(ln(n) - ln(k) - ln(n - k) + k * Math.log(p) + (n - k) * Math.log(1 - p));
    distance = Math.max(distance, Math.abs(drawn - expected));
  }
  expect(drawn).toBeCloseTo(1, 9);
  return distance * Math.sqrt(DRAWS);
}

describe('binomial draws follow the binomial distribution', () => {
  // 1.95 is the Kolmogorov statistic's 99.9% quantile.
  it.each([
    [1, 0.3],
    [12, 0.5],
    [500, 0.01],
    [40, 0.4],
    [60, 0.9],
    [3000, 0.2],
  ])('n = %i, p = %f', (n, p) => {
    expect(kolmogorov(n, p)).toBeLessThan(1.95);
  });
});

describe('multinomial draws', () => {
  it('keep the total and the means', () => {
    const counts = [700, 3, 0, 297];
    const draw = multinomial(counts);
    const random = seededRandom(2);
    const out = new Uint32Array(counts.length);
    const sums = counts.map(() => 0);
    for (let i = 0; i < 4000; i++) {
      draw(random, out);
      expect(out.reduce((a, b) => a + b, 0)).toBe(1000);
      for (const [k, x] of out.entries()) sums[k] = (sums[k] ?? 0) + x / 4000;
    }
    // Five standard errors of the mean of 4,000 draws.
    for (const [k, count] of counts.entries())
      expect(Math.abs((sums[k] ?? 0) - count)).toBeLessThanOrEqual(5 * Math.sqrt((count * (1 - count / 1000)) / 4000));
  });
});
