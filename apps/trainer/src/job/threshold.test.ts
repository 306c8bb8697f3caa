import { describe, expect, test } from 'vitest';
import { Random } from '../random.ts';
import { chooseThreshold, MIN_ROWS } from './threshold.ts';
import { macroF1 } from './validate.ts';

const F1 = { task: 'BINARY', objective: 'F1_MACRO' } as const;

/** A skewed sample whose scores are too low on the whole, as a network's are that saw few positives. */
function sample(rows: number): { scores: number[]; truth: number[] } {
  const random = Random.from(3, 'threshold');
  const truth = Array.from({ length: rows }, () => Number(random.float() < 0.15));
  return { truth, scores: truth.map((t) => Math.round((0.1 + 0.25 * t + 0.2 * random.float()) * 50) / 50) };
}

const f1At = (threshold: number, scores: number[], truth: number[]) =>
  macroF1(
    truth,
    scores.map((score) => Number(score >= threshold)),
    2,
  );

describe('chooseThreshold', () => {
  test('maximises macro F1 on the validation rows, as trying every cut does', () => {
    const { scores, truth } = sample(400);
    const threshold = chooseThreshold(F1, scores, truth) ?? Number.NaN;
    const distinct = [...new Set(scores)].sort((a, b) => a - b);
    const cuts = distinct.slice(1).map((high, i) => (high + (distinct[i] ?? 0)) / 2);
    const best = Math.max(...cuts.map((cut) => f1At(cut, scores, truth)));
    expect(f1At(threshold, scores, truth)).toBeCloseTo(best, 12);
    expect(best).toBeGreaterThan(f1At(0.5, scores, truth));
  });

  test('is 0.5 for few rows and for every other objective, and null without two classes', () => {
    const { scores, truth } = sample(MIN_ROWS - 1);
    expect(chooseThreshold(F1, scores, truth)).toBe(0.5);
    const many = sample(400);
    expect(chooseThreshold({ ...F1, objective: 'ACCURACY' }, many.scores, many.truth)).toBe(0.5);
    expect(chooseThreshold({ ...F1, task: 'MULTICLASS' }, many.scores, many.truth)).toBeNull();
  });

  test('is 0.5 where all scores are equal: there is no cut', () => {
    expect(chooseThreshold(F1, new Array(300).fill(0.2), new Array(300).fill(0))).toBe(0.5);
  });
});
