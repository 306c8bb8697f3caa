/** Properties of the latency histogram: its promised error against exact quantiles, and that merging loses nothing. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BINS, binOf, histogramOf, merge, quantile, RELATIVE_ERROR } from './histogram.ts';

const durations = fc.array(fc.integer({ min: 1, max: 170_000_000 }), { minLength: 1, maxLength: 200 });
const exact = (sorted: number[], q: number) => sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1] ?? Number.NaN;

describe('the latency histogram', () => {
  it('answers every quantile within its relative error', () => {
    expect(RELATIVE_ERROR).toBeLessThan(0.05);
    fc.assert(
      fc.property(durations, fc.double({ min: 0, max: 1, noNaN: true }), (values, q) => {
        const truth = exact(
          values.toSorted((a, b) => a - b),
          q,
        );
        const answer = quantile(histogramOf(values), q) ?? Number.NaN;
        expect(Math.abs(answer - truth) / truth).toBeLessThanOrEqual(RELATIVE_ERROR + 1e-9);
      }),
    );
  });

  it('merges to the histogram of everything, in any order and grouping', () => {
    fc.assert(
      fc.property(durations, durations, durations, (a, b, c) => {
        const [x, y, z] = [histogramOf(a), histogramOf(b), histogramOf(c)];
        expect(merge(x, merge(y, z))).toEqual(histogramOf([...c, ...a, ...b]));
        expect(merge(merge(z, x), y)).toEqual(histogramOf([...c, ...a, ...b]));
      }),
    );
  });

  it('never lets a longer duration fall into an earlier bin', () => {
    const any = fc.integer({ min: 0, max: 2_000_000_000 });
    fc.assert(
      fc.property(any, any, (a, b) => {
        expect(binOf(Math.min(a, b))).toBeLessThanOrEqual(binOf(Math.max(a, b)));
        expect(binOf(a)).toBeLessThan(BINS);
      }),
    );
  });

  it('knows no quantile of nothing, and clamps what is out of range', () => {
    expect(quantile([], 0.5)).toBeNull();
    expect(quantile([0, 0], 0.5)).toBeNull();
    expect(quantile(histogramOf([0]), 0.5)).toBe(1);
    expect(binOf(Number.MAX_SAFE_INTEGER)).toBe(BINS - 1);
  });
});
