/** Fragments with a gradient of their own: batch normalisation and dropout. */
import { describe, expect, test } from 'vitest';
import { ortCpu } from '../engine/ort-cpu.ts';
import { loader } from '../engine/testing.ts';
import { GraphBuilder, type Value } from '../ir/builder.ts';
import { encodeModel } from '../ir/encode.ts';
import * as op from '../ir/ops.ts';
import { numbersOf, tensorOf } from '../ir/tensor.ts';
import { batchNormalization } from './batch-norm.ts';
import { checkGradient } from './check.ts';
import { dropoutMask } from './dropout.ts';
import { fill, positive } from './testing.ts';

const load = await loader();
const engine = await ortCpu({ threads: 1 });

describe('batch normalisation', () => {
  const weights = (graph: GraphBuilder) => graph.constant('DOUBLE', [4], [1, 0, 1, 0.5]);

  test.each([
    { name: 'images', dims: [4, 3, 2, 2] },
    { name: 'features', dims: [4, 3] },
  ])('its gradient is the measured slope, also where rows do not count: $name', async ({ dims }) => {
    const worst = await checkGradient(
      {
        type: 'DOUBLE',
        inputs: [fill(dims), fill([3], positive), fill([3])],
        build: (x, gamma, beta) => batchNormalization(x, gamma, beta, weights(x.graph)).y,
      },
      load,
    );
    expect(worst).toBeLessThan(1e-7);
  });

  test('normalises the rows that count and tells their mean and variance', async () => {
    const g = new GraphBuilder('statistics');
    const x = g.input('x', 'FLOAT', [4, 1, 2]);
    const [one, zero] = [g.constant('FLOAT', [1], [1]), g.constant('FLOAT', [1], [0])];
    const weight = g.constant('FLOAT', [4], [1, 1, 0, 1]);
    const { y, mean, variance } = batchNormalization(x, one, zero, weight);
    g.output('y', y);
    g.output('mean', mean);
    g.output('variance', variance);
    const graph = await engine.graph(encodeModel(g.model()));
    const values = [1, 3, 5, 9, 1000, -1000, 2, 4];
    const outputs = await graph.run([tensorOf('x', 'FLOAT', [4, 1, 2], values)]);
    const read = (name: string) => {
      const tensor = outputs.get(name);
      return tensor ? numbersOf(tensor) : [];
    };
    expect(read('mean')[0]).toBeCloseTo(4, 5);
    const biased = (9 + 1 + 1 + 25 + 4 + 0) / 6;
    expect(read('variance')[0]).toBeCloseTo((biased * 6) / 5, 4);
    expect(read('y')[3]).toBeCloseTo(5 / Math.sqrt(biased + 1e-5), 4);
  });
});

describe('dropout', () => {
  /** Which elements the masks of some seeds keep. */
  async function masks(dims: readonly number[], rate: number, seeds: readonly number[]): Promise<boolean[][]> {
    const g = new GraphBuilder('mask');
    const x = g.input('x', 'FLOAT', dims);
    const seed = g.input('seed', 'INT32', []);
    g.output('y', op.Mul(x, dropoutMask(x, rate, seed)));
    const graph = await engine.graph(encodeModel(g.model()));
    const size = dims.reduce((a, b) => a * b, 1);
    const runs: boolean[][] = [];
    for (const value of seeds) {
      const ones = tensorOf('x', 'FLOAT', dims, new Float32Array(size).fill(1));
      const y = (await graph.run([ones, tensorOf('seed', 'INT32', [], [value])])).get('y');
      const numbers = y ? numbersOf(y) : [];
      expect([...new Set(numbers)].sort()).toEqual([0, Math.fround(1 / (1 - rate))]);
      runs.push(numbers.map((number) => number !== 0));
    }
    return runs;
  }
  const share = (mask: readonly boolean[]) => mask.filter((kept) => !kept).length / mask.length;
  /** Correlation of two masks in standard deviations: about normal if they are independent. */
  const sigmas = (a: readonly boolean[], b: readonly boolean[], rate: number) => {
    const both = a.filter((kept, index) => !kept && b[index] === false).length;
    const expected = a.length * rate * rate;
    return Math.abs(both - expected) / Math.sqrt(expected * (1 - rate * rate));
  };

  test.each([0.1, 0.5, 0.8])('drops a share of %d, whatever the seed', async (rate) => {
    const seeds = Array.from({ length: 16 }, (_, step) => Math.imul(step, 0x9e3779b1) + 7);
    const all = await masks(
      [32, 16, 64],
      rate,
      seeds.map((seed) => seed | 0),
    );
    const deviation = Math.sqrt((rate * (1 - rate)) / (32 * 16 * 64));
    for (const mask of all) expect(Math.abs(share(mask) - rate)).toBeLessThan(4.5 * deviation);
    expect(Math.abs(share(all.flat()) - rate)).toBeLessThan((4.5 * deviation) / 4);
  });

  test('neither steps nor places know each other', async () => {
    const rate = 0.3;
    const seeds = Array.from({ length: 12 }, (_, step) => (Math.imul(step + 1, 0x9e3779b1) + 3) | 0);
    const all = await masks([64, 16, 64], rate, seeds);
    for (const [index, mask] of all.entries()) {
      for (const other of all.slice(index + 1)) expect(sigmas(mask, other, rate)).toBeLessThan(5);
      for (const distance of [1, 2, 7, 63, 64, 65, 1024, 4096, 32768])
        expect(sigmas(mask.slice(distance), mask.slice(0, -distance), rate)).toBeLessThan(5);
    }
  });

  test('is the same for the same seed, and has no gradient of its own', async () => {
    const [a, b, c] = await masks([40, 10], 0.5, [5, 5, 6]);
    expect(b).toEqual(a);
    expect(c).not.toEqual(a);
    const build = (x: Value) => op.Mul(x, dropoutMask(x, 0.5, x.graph.constant('INT32', [], [1])));
    expect(await checkGradient({ type: 'DOUBLE', inputs: [fill([4, 5])], build }, load)).toBeLessThan(1e-7);
  });
});
