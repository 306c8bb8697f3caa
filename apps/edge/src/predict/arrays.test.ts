/** Tensors and tokens in instances: what is read, what is refused and where, and that a thousand images are fast. */
import { describe, expect, test } from 'vitest';
import { binaryManifest } from '../../test/manifests.ts';
import type { ColumnInput, Manifest } from '../contract.ts';
import type { Feeds } from '../engine/tensor.ts';
import { PredictError, parseInstances, predict } from './index.ts';

const some = new Uint8Array(1);
function manifestOf(input: ColumnInput, column: Partial<Manifest['columns'][number]>): Manifest {
  const kind = input.type === 'float32' ? ('TENSOR' as const) : ('TOKENS' as const);
  return binaryManifest(some, { columns: [{ name: input.column, kind, used: true, ...column }], inputs: [input] });
}
const image = manifestOf({ name: 'image', column: 'image', type: 'float32', shape: [1, 2, 3] }, { shape: [1, 2, 3] });
const words = manifestOf({ name: 'words', column: 'words', type: 'int32', length: 4 }, { maxLength: 4, vocabulary: 9 });

function refusal(manifest: Manifest, instances: Record<string, unknown>[]): PredictError {
  try {
    parseInstances(manifest, instances);
  } catch (error) {
    if (error instanceof PredictError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('tensors', () => {
  const flat = [0, 1, 2, 3, 4.5, -6];
  const nested = [
    [
      [0, 1, 2],
      [3, 4.5, -6],
    ],
  ];

  test('nested and flat lists are the same', () => {
    const { image: tensor } = parseInstances(image, [{ image: flat }, { image: nested }]);
    expect(tensor).toEqual({ type: 'float32', dims: [2, 1, 2, 3], data: Float32Array.from([...flat, ...flat]) });
  });

  test.each<[string, unknown, string]>([
    ['too few numbers', flat.slice(1), 'got 5 numbers'],
    ['too many', [...flat, 1], 'got 7 numbers'],
    ['another shape', [[[0, 1, 2]]], 'got 1 lists in [0]'],
    ['a short row', [[[0, 1, 2], [3]]], 'got 1 numbers in [0][1]'],
    ['a number for a list', [[[0, 1, 2], 3]], 'got 3 at [0][1]'],
    ['a text', [0, 1, '2', 3, 4, 5], 'got "2" at [2]'],
    [
      'null inside',
      [
        [
          [0, 1, null],
          [3, 4, 5],
        ],
      ],
      'got null at [0][0][2]',
    ],
    ['what float32 does not hold', [0, 1, 1e39, 3, 4, 5], 'got 1e+39 at [2]'],
    ['null: a tensor cannot be missing', null, 'got null'],
    ['no list', 'abc', 'got "abc"'],
    ['an empty list', [], 'got 0 numbers'],
  ])('%s is refused', (_, value, got) => {
    const error = refusal(image, [{ image: flat }, { image: value }]);
    expect(error).toMatchObject({ code: 'INVALID_VALUE', status: 422, field: 'instances[1].image' });
    expect(error.message).toBe(`instances[1].image: expected 1x2x3 numbers, nested or as one list, ${got}`);
  });

  test('an absent column is refused', () => {
    expect(refusal(image, [{}])).toMatchObject({ code: 'MISSING_COLUMN', field: 'instances[0].image' });
  });

  test('a thousand images of 784 numbers are read in a moment', () => {
    const shape = [1, 28, 28];
    const mnist = manifestOf({ name: 'image', column: 'image', type: 'float32', shape }, { shape });
    const text = JSON.stringify(
      Array.from({ length: 1000 }, () => ({ image: Array.from({ length: 784 }, (_, i) => i % 256) })),
    );
    const parsing = performance.now();
    const instances = JSON.parse(text);
    const reading = performance.now();
    parseInstances(mnist, instances);
    // Not slower than JSON.parse itself, with room for a busy machine.
    expect(performance.now() - reading).toBeLessThan(5 * (reading - parsing) + 50);
  });
});

describe('tokens', () => {
  test('are padded with -1 to the longest of the request', () => {
    const { words: tensor } = parseInstances(words, [{ words: [7] }, { words: [1, 2, 3_000_000_000] }]);
    expect(tensor).toEqual({ type: 'int32', dims: [2, 3], data: Int32Array.of(7, -1, -1, 1, 2, 2 ** 31 - 2) });
  });

  test.each<[string, unknown, string]>([
    ['longer ones', [1, 2, 3, 4, 5], 'got 5 of them'],
    ['none', [], 'got 0 of them'],
    ['fractions', [1, 2.5], 'got 2.5 at [1]'],
    ['negative ones', [-1], 'got -1 at [0]'],
    ['texts', ['a'], 'got "a" at [0]'],
    ['a missing value', null, 'got null'],
  ])('%s are refused', (_, value, got) => {
    const error = refusal(words, [{ words: [1] }, { words: value }]);
    expect(error).toMatchObject({ code: 'INVALID_VALUE', field: 'instances[1].words' });
    expect(error.message).toBe(`instances[1].words: expected 1 to 4 tokens: integers from 0, ${got}`);
  });
});

describe('predict', () => {
  const shape = [1, 100, 100];
  const large = manifestOf({ name: 'image', column: 'image', type: 'float32', shape }, { shape });
  /** A model whose answer is its image's first number, which is no number for image 7. */
  const runs: number[] = [];
  const session = {
    run({ image: tensor }: Feeds) {
      if (tensor?.type !== 'float32') throw new Error('expected an image');
      const rows = tensor.dims[0] ?? 0;
      runs.push(rows);
      const data = Float32Array.from({ length: rows * 2 }, (_, i) => {
        const p = tensor.data[(i >> 1) * 10_000] ?? Number.NaN;
        return i % 2 ? p : 1 - p;
      });
      return { probabilities: { type: 'float32' as const, dims: [rows, 2], data } };
    },
  };
  const instances = Array.from({ length: 10 }, (_, i) => ({ image: Array.from({ length: 10_000 }, () => i / 30) }));

  test('runs few large images at a time and answers in order', () => {
    const answers = predict(session, large, instances);
    expect(answers.map((answer) => ('label' in answer ? answer.probabilities.yes : null))).toEqual(
      instances.map(({ image: [first = 0] }) => Math.fround(first)),
    );
    expect(runs).toEqual([3, 3, 3, 1]);
  });

  test('names the instance whose answer is no number', () => {
    const broken = {
      run: (feeds: Feeds) => {
        const outputs = session.run(feeds);
        const at = outputs.probabilities.data.findIndex((p) => p === Math.fround(7 / 30));
        if (at >= 0) outputs.probabilities.data[at] = Number.NaN;
        return outputs;
      },
    };
    expect(() => predict(broken, large, instances)).toThrow('instances[7]');
  });
});
