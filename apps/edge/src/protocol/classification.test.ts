import { expect, test } from 'vitest';
import { classify } from './classification.ts';

const floats = (dims: number[], ...data: number[]) => ({
  type: 'float32' as const,
  dims,
  data: Float32Array.from(data),
});

test('each row of a batch has its own', () => {
  const output = floats([2, 3], 0.25, 0.5, 0.25, 1, 2, 3);
  expect(classify('p', output, ['a', 'b', 'c'], 2)).toEqual({
    type: 'string',
    dims: [2, 2],
    data: ['0.5:1:b', '0.25:0:a', '3:2:c', '2:1:b'],
  });
});

test('a vector is one row; integers keep their digits', () => {
  expect(classify('p', floats([4], 1, 5, 10, 4), undefined, 2).data).toEqual(['10:2', '5:1']);
  const long = { type: 'int64' as const, dims: [2], data: BigInt64Array.of(1n, 2n ** 53n + 1n) };
  expect(classify('p', long, ['x'], 2).data).toEqual(['9007199254740993:1', '1:0:x']);
});

test('more than there are, and texts, are refused', () => {
  expect(() => classify('p', floats([1, 3], 1, 2, 3), undefined, 4)).toThrow('classification of 1 to 3');
  expect(() => classify('p', { type: 'string', dims: [1], data: ['a'] }, undefined, 1)).toThrow('no numbers');
});
