/** Learning rates at the steps that matter, and over all of them. */
import { describe, expect, test } from 'vitest';
import type { Schedule } from '../contract/run-spec.ts';
import { rateAt, ratesOf } from './schedule.ts';

const horizon = { learningRate: 0.1, totalSteps: 101, stepsPerEpoch: 20 };
const at = (schedule: Schedule, ...steps: number[]) => steps.map((step) => rateAt(schedule, step, horizon));
const close = (actual: number[], expected: number[]) =>
  actual.forEach((value, index) => {
    expect(value).toBeCloseTo(expected[index] ?? Number.NaN, 12);
  });

describe('rates', () => {
  test('without a schedule are one number', () => {
    expect(ratesOf(undefined, { from: 7, count: 5 }, horizon)).toBe(0.1);
  });

  test('rise in warm-up and reach the full rate at its last step', () => {
    const schedule: Schedule = { warmupSteps: 4, decay: { kind: 'CONSTANT' } };
    close(at(schedule, 0, 1, 3, 4, 100), [0.025, 0.05, 0.1, 0.1, 0.1]);
  });

  test('fall along a cosine or a line to the floor at the last step, and stay there', () => {
    const cosine: Schedule = { warmupSteps: 0, decay: { kind: 'COSINE', floor: 0.1 } };
    close(at(cosine, 0, 25, 50, 100, 500), [0.1, 0.01 + (0.09 * (1 + Math.SQRT1_2)) / 2, 0.055, 0.01, 0.01]);
    const line: Schedule = { warmupSteps: 0, decay: { kind: 'LINEAR', floor: 0 } };
    close(at(line, 0, 25, 50, 100), [0.1, 0.075, 0.05, 0]);
    close(at({ ...cosine, warmupSteps: 50 }, 49, 50, 75, 100), [0.1, 0.1, 0.055, 0.01]);
  });

  test('fall in steps of whole epochs', () => {
    const schedule: Schedule = { warmupSteps: 0, decay: { kind: 'STEP', everyEpochs: 2, factor: 0.5 } };
    close(at(schedule, 0, 39, 40, 79, 80), [0.1, 0.1, 0.05, 0.05, 0.025]);
  });

  test('do not depend on where chunks are cut', () => {
    const schedule: Schedule = { warmupSteps: 10, decay: { kind: 'COSINE', floor: 0 } };
    const rates = (from: number, count: number) => ratesOf(schedule, { from, count }, horizon);
    const whole = rates(0, 101);
    const listed = (rate: number | Float32Array) => (typeof rate === 'number' ? [] : [...rate]);
    const parts = [rates(0, 7), rates(7, 60), rates(67, 34)].flatMap(listed);
    expect(parts).toEqual(listed(whole));
    expect(parts).toHaveLength(101);
    expect(Math.min(...parts)).toBe(0);
  });

  test('a training shorter than its warm-up only rises', () => {
    const schedule: Schedule = { warmupSteps: 1000, decay: { kind: 'LINEAR', floor: 0 } };
    close(at(schedule, 0, 100), [1e-4, 101e-4]);
  });
});
