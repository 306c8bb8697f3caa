import fc from 'fast-check';
import { expect, test } from 'vitest';
import { pickVariant, unitHash } from './variant.ts';

test('shares of similar keys are those of the weights', () => {
  const variants = [{ weight: 1 }, { weight: 9 }];
  const random = () => {
    throw new Error('not asked');
  };
  const keys = Array.from({ length: 20_000 }, (_, i) => `user-${i}`);
  const small = keys.filter((key) => pickVariant(variants, key, random) === variants[0]).length;
  expect(small / keys.length).toBeGreaterThan(0.09);
  expect(small / keys.length).toBeLessThan(0.11);
});

test('any text has its place in [0, 1), always the same', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(unitHash(text)).toBe(unitHash(text));
      expect(unitHash(text)).toBeGreaterThanOrEqual(0);
      expect(unitHash(text)).toBeLessThan(1);
    }),
  );
});

test('without a key, chance decides; without variants, nothing does', () => {
  const variants = [{ weight: 1 }, { weight: 1 }];
  expect(pickVariant(variants, undefined, () => 0.49)).toBe(variants[0]);
  expect(pickVariant(variants, undefined, () => 0.5)).toBe(variants[1]);
  expect(pickVariant([], 'x', () => 0)).toBeUndefined();
});
