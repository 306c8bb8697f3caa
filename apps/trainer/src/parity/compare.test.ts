import { describe, expect, test } from 'vitest';
import { compareClasses, compareValues } from './compare.ts';

const binary = { classes: ['no', 'yes'], positiveClass: 'yes', threshold: 0.5 };
const sides = (edge: number[], trained: number[]) => ({ engine: 'ORT_CPU', edge, trained });

describe('compareClasses', () => {
  test('measures the largest difference and the agreement', () => {
    const parity = compareClasses(
      sides([0.2, 0.8, 0.6, 0.4], [0.20001, 0.79999, 0.6, 0.4]),
      { edge: [1, 0], trained: [1, 0] },
      binary,
    );
    expect(parity).toEqual({
      engine: 'ORT_CPU',
      rows: 2,
      maxAbsDiff: expect.closeTo(1e-5, 8),
      tolerance: 1e-4,
      labelAgreement: 1,
    });
  });

  test('a label may flip only where the tolerance could have flipped it', () => {
    const near = sides([0.50005, 0.49995], [0.49998, 0.50002]);
    expect(compareClasses(near, { edge: [0], trained: [1] }, binary).labelAgreement).toBe(0);
    const far = sides([0.3, 0.7], [0.3, 0.7]);
    expect(() => compareClasses(far, { edge: [0], trained: [1] }, binary)).toThrow('the edge says class 0');
    const three = { classes: ['a', 'b', 'c'], positiveClass: null, threshold: null };
    const sorted = sides([0.5, 0.3, 0.2], [0.5, 0.3, 0.2]);
    expect(() => compareClasses(sorted, { edge: [1], trained: [0] }, three)).toThrow('row 0');
  });

  test('refuses a probability beyond the tolerance, and one that is no number', () => {
    const labels = { edge: [1], trained: [1] };
    expect(() => compareClasses(sides([0.2, 0.8], [0.2, 0.8005]), labels, binary)).toThrow('Nothing was published');
    expect(() => compareClasses(sides([0.2, Number.NaN], [0.2, 0.8]), labels, binary)).toThrow('the edge says NaN');
  });

  test('allows GPUs and TensorFlow.js ten times as much', () => {
    const labels = { edge: [1], trained: [1] };
    const apart = { edge: [0.2, 0.8], trained: [0.2, 0.8005] };
    for (const engine of ['ORT_WEBGPU', 'ORT_CUDA', 'TFJS'])
      expect(compareClasses({ engine, ...apart }, labels, binary)).toMatchObject({ engine, tolerance: 1e-3 });
    for (const engine of ['ORT_CPU', 'ORT_WASM'])
      expect(() => compareClasses({ engine, ...apart }, labels, binary)).toThrow('beyond 0.0001 + 0.0001|b|');
  });

  test('no rows: nothing to agree on', () => {
    expect(compareClasses(sides([], []), { edge: [], trained: [] }, binary)).toMatchObject({ labelAgreement: null });
  });
});

describe('compareValues', () => {
  test('compares on the standardised scale', () => {
    const parity = compareValues(sides([200_005], [200_000]), { center: 200_000, scale: 100_000 });
    expect(parity.maxAbsDiff).toBeCloseTo(5e-5, 10);
    expect(() => compareValues(sides([200_020], [200_000]), { center: 200_000, scale: 100_000 })).toThrow('disagree');
  });

  test('does not ask for digits that float32 does not have', () => {
    const far = 2 ** 30;
    expect(() => compareValues(sides([far + 128], [far]), { center: far, scale: 1 })).not.toThrow();
    expect(() => compareValues(sides([far + 1024], [far]), { center: far, scale: 1 })).toThrow('disagree');
  });
});
