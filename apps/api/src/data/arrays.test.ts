/** Columns of arrays, from JSON Lines and from texts of numbers: TENSOR and TOKENS. */
import { decodeTable, type Table } from '@anneal/trainer/contract';
import { describe, expect, it } from 'vitest';
import { body, parseTexts, refusalOf } from './fixture.ts';

const JSONL = { format: 'JSONL' as const };
const lines = (count: number, row: (i: number) => object) => body(count, (i) => JSON.stringify(row(i)));
/** The table's first column. */
const first = ({ table }: { table: Uint8Array }) => decodeTable(table).columns[0];
const everyFifth = { testEvery: 5, validation: 0 };

describe('TENSOR', () => {
  it('is inferred where every row has one shape', async () => {
    const dataset = await parseTexts(
      [
        lines(20, (i) => ({
          x: [
            [i, 0.5],
            [-0, 2],
          ],
          y: i % 2,
        })),
      ],
      JSONL,
    );
    expect(dataset.columns[0]).toMatchObject({ name: 'x', kind: 'TENSOR', inferred: true, shape: [2, 2] });
    expect(first(dataset)).toMatchObject({ kind: 'TENSOR', shape: [2, 2] });
    const column = first(dataset);
    if (column?.kind !== 'TENSOR') throw new Error('expected a tensor');
    expect(column.values).toBeInstanceOf(Float32Array);
    expect([...column.values.subarray(4, 8)]).toEqual([1, 0.5, 0, 2]);
  });

  it('of whole numbers from 0 to 255 takes a byte each, and one that is not makes all of them floats', async () => {
    const bytes = first(await parseTexts([lines(20, (i) => ({ x: [i, 255], y: i % 2 }))], JSONL));
    const floats = first(await parseTexts([lines(20, (i) => ({ x: [i, i < 19 ? 255 : 256], y: i % 2 }))], JSONL));
    if (bytes?.kind !== 'TENSOR' || floats?.kind !== 'TENSOR') throw new Error('expected tensors');
    expect(bytes.values).toEqual(Uint8Array.from({ length: 40 }, (_, i) => (i % 2 ? 255 : i / 2)));
    expect(floats.values).toEqual(Float32Array.from({ length: 40 }, (_, i) => (i % 2 ? (i < 39 ? 255 : 256) : i / 2)));
  });

  it('is profiled over all its numbers', async () => {
    const text = lines(20, (i) => ({ x: [1, 3], y: i % 2 }));
    const dataset = await parseTexts([text], { ...JSONL, split: everyFifth });
    expect(dataset.columns[0]?.profile).toMatchObject({
      ...{ count: 20, missing: 0, distinct: null, top: null },
      ...{ min: 1, max: 3, mean: expect.closeTo(2), std: expect.closeTo(1) },
    });
  });

  it('takes the shape that its owner says, and texts of numbers', async () => {
    const columns = [{ name: 'x', kind: 'TENSOR' as const, shape: [1, 2, 2] }];
    const nested = await parseTexts(
      [
        lines(20, (i) => ({
          x: [
            [i, 1],
            [2, 3],
          ],
          y: i % 2,
        })),
      ],
      { ...JSONL, columns },
    );
    const texts = await parseTexts([`x,y\n${body(20, (i) => `${i} 1  2 3,${i % 2}`)}`], { columns });
    expect(first(nested)).toMatchObject({ shape: [1, 2, 2] });
    expect(texts.digest).toBe(nested.digest);
  });

  it.each<[string, (i: number) => unknown, string]>([
    ['another shape', (i) => (i === 7 ? [1.5] : [1, 2]), 'line 8, column "x": found 1 numbers where the rows before'],
    ['no rectangle', (i) => (i === 7 ? [[1], [1, 2]] : [[1], [2]]), 'a list of 2 beside one of 1'],
    ['a text among numbers', (i) => (i === 7 ? [1, 'a'] : [1, 2]), '"a" in a list; expected numbers'],
    ['null among numbers', (i) => (i === 7 ? [1, null] : [1, 2]), 'null in a list; expected numbers'],
    ['an empty list', (i) => (i === 7 ? [] : [1, 2]), 'an empty list'],
    ['a missing value', (i) => (i === 7 ? null : [1.5, 2]), 'an array cannot be missing'],
    ['a text', (i) => (i === 7 ? 'seven' : [1.5, 2]), 'found "seven"'],
    ['what float32 does not hold', (i) => (i === 7 ? [1e300] : [1.5]), '1e+300, which no float32 holds'],
    ['an array where there were none', (i) => (i === 7 ? [1] : 1), 'rows before have none'],
  ])('refuses %s by its line', async (_, x, message) => {
    const error = await refusalOf([lines(20, (i) => ({ x: x(i), y: i % 2 }))], JSONL);
    expect(error).toMatchObject({ code: 'BAD_VALUE', details: { line: 8 } });
    expect(error.message).toContain(message);
    expect(error.message).toContain('line 8');
  });

  it('is no target, no split column, and has no renamed values', async () => {
    const text = lines(20, (i) => ({ x: [i, 1], y: i % 2 }));
    expect((await refusalOf([text], { ...JSONL, target: 'x' })).code).toBe('BAD_TARGET');
    expect((await refusalOf([text], { ...JSONL, split: { column: 'x' } })).code).toBe('BAD_VALUE');
    const columns = [{ name: 'x', kind: 'TENSOR' as const, values: [{ from: 'a', to: 'b' }] }];
    expect((await refusalOf([text], { ...JSONL, columns })).code).toBe('BAD_COLUMNS');
    const wrong = [{ name: 'x', kind: 'TENSOR' as const, shape: [3] }];
    expect((await refusalOf([text], { ...JSONL, columns: wrong })).message).toContain('expected 3 for the shape 3');
    const ignored = [{ name: 'x', kind: 'IGNORE' as const }];
    expect((await parseTexts([text], { ...JSONL, columns: ignored })).columns[0]).toMatchObject({ kind: 'IGNORE' });
  });
});

describe('TOKENS', () => {
  const sentence = (i: number) => Array.from({ length: 1 + (i % 4) }, (_, t) => i + t);

  it('is inferred from lists of ids of different lengths', async () => {
    const dataset = await parseTexts([lines(20, (i) => ({ x: sentence(i), y: i % 2 }))], JSONL);
    expect(dataset.columns[0]).toMatchObject({ kind: 'TOKENS', vocabulary: 23, maxLength: 4 });
    expect(dataset.columns[0]?.profile).toMatchObject({ count: 20, min: 1, max: 4, mean: 2.5 });
    const column = first(dataset);
    if (column?.kind !== 'TOKENS') throw new Error('expected tokens');
    expect([...column.offsets.subarray(0, 5)]).toEqual([0, 1, 3, 6, 10]);
    expect([...column.values.subarray(3, 6)]).toEqual([2, 3, 4]);
  });

  it('is what the owner says where all lengths are equal, and of texts in CSV', async () => {
    const columns = [{ name: 'x', kind: 'TOKENS' as const }];
    const equal = await parseTexts([lines(20, (i) => ({ x: [i, 1], y: i % 2 }))], { ...JSONL, columns });
    expect(equal.columns[0]).toMatchObject({ kind: 'TOKENS', vocabulary: 20, maxLength: 2, inferred: false });
    const csv = await parseTexts([`x,y\n${body(20, (i) => `${i} 1,${i % 2}`)}`], { columns });
    expect(csv.digest).toBe(equal.digest);
  });

  it.each<[string, unknown, string]>([
    ['fractions', [1, 0.5], '0.5, where tokens are integers from 0'],
    ['negative ids', [-1], '-1, where tokens are integers from 0'],
    ['ids beyond 32 bits', [2 ** 31], '2147483648, where tokens'],
    ['nested lists', [[1], [2]], 'nested lists'],
    ['a missing value', null, 'an array cannot be missing'],
  ])('refuses %s by their line', async (_, x, message) => {
    const text = lines(20, (i) => ({ x: i === 7 ? x : sentence(i), y: i % 2 }));
    for (const columns of [[], [{ name: 'x', kind: 'TOKENS' as const }]]) {
      const error = await refusalOf([text], { ...JSONL, columns });
      expect(error).toMatchObject({ code: 'BAD_VALUE', details: { line: 8 } });
      expect(error.message).toContain(message);
    }
  });
});

it('equal arrays are duplicates, and stay in one part', async () => {
  for (const x of [(i: number) => [i % 10, 1], (i: number) => Array.from({ length: 1 + (i % 10) }, () => 3)]) {
    const dataset = await parseTexts([lines(40, (i) => ({ x: x(i), y: i % 2 }))], JSONL);
    expect(dataset.findings).toMatchObject([{ code: 'DUPLICATE_ROWS', count: 30 }]);
    const table: Table = decodeTable(dataset.table);
    for (let row = 10; row < 40; row++) expect(table.split[row]).toBe(table.split[row - 10]);
  }
});
