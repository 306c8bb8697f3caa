/** The generator against its published vector and against what its numbers should look like. */
import { describe, expect, test } from 'vitest';
import { Random } from './random.ts';

/** Draws of one kind. */
const draws = <T>(count: number, draw: () => T): T[] => Array.from({ length: count }, draw);
const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('Random', () => {
  test('is xoshiro128**: the vector of the reference implementation 1.1', () => {
    const random = Random.ofState(Uint32Array.of(1, 2, 3, 4));
    expect(draws(10, () => random.bits())).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ]);
  });

  test('the numbers of a seed never change: saved runs depend on them', () => {
    const random = Random.from(42, 'init');
    expect(draws(4, () => random.bits())).toMatchInlineSnapshot(`
      [
        2405572875,
        4287706837,
        4041328289,
        3078802408,
      ]
    `);
    expect(Random.from(42, 'shuffle/0').permutation(8)).toMatchInlineSnapshot(`
      Uint32Array [
        7,
        4,
        6,
        5,
        2,
        0,
        1,
        3,
      ]
    `);
  });

  test('same seed and stream: same numbers; another seed or stream: others', () => {
    const first = (seed: number, stream: string) => Random.from(seed, stream).bits();
    expect(first(7, 'a')).toBe(first(7, 'a'));
    const others = [first(7, 'a'), first(7, 'b'), first(8, 'a'), first(7, ''), first(7 + 2 ** 32, 'a'), first(7, 'aa')];
    expect(new Set(others).size).toBe(others.length);
    expect(() => Random.from(-1, 'a')).toThrow('seed -1: expected an integer of 0 or more');
  });

  test('floats are uniform in [0, 1)', () => {
    const random = Random.from(1, 'floats');
    const floats = draws(40_000, () => random.float());
    expect(floats.every((x) => x >= 0 && x < 1)).toBe(true);
    const bins = new Array<number>(20).fill(0);
    for (const x of floats) bins[Math.floor(x * 20)] = (bins[Math.floor(x * 20)] ?? 0) + 1;
    // chi-square with 19 degrees of freedom: above 43.8 once in a thousand seeds
    expect(bins.reduce((sum, n) => sum + (n - 2000) ** 2 / 2000, 0)).toBeLessThan(43.8);
  });

  test('normals have mean 0, variance 1 and kurtosis 3', () => {
    const random = Random.from(2, 'normals');
    const normals = draws(40_000, () => random.normal());
    expect(mean(normals)).toBeCloseTo(0, 1);
    expect(mean(normals.map((x) => x ** 2))).toBeCloseTo(1, 1);
    expect(Math.abs(mean(normals.map((x) => x ** 4)) - 3)).toBeLessThan(0.15);
  });

  test('integers hit every value, also for ranges beyond 2^31', () => {
    const random = Random.from(3, 'ints');
    expect(new Set(draws(200, () => random.int(6)))).toEqual(new Set([0, 1, 2, 3, 4, 5]));
    expect(draws(100, () => random.int(2 ** 32)).some((n) => n > 2 ** 31)).toBe(true);
    expect(() => random.int(0)).toThrow('int(0): expected an integer in [1, 2^32]');
  });

  test('permutations hold every index once, each in every place', () => {
    const random = Random.from(4, 'order');
    expect([...random.permutation(1000)].sort((a, b) => a - b)).toEqual([...new Array(1000).keys()]);
    const firsts = draws(300, () => random.permutation(3).join(''));
    expect(new Set(firsts).size).toBe(6);
    expect(random.permutation(0)).toHaveLength(0);
  });
});
