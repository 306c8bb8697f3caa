/** Numeric columns folded into one tensor. */
import { decodeTable } from '@anneal/trainer/contract';
import { describe, expect, it } from 'vitest';
import type { ColumnOverride } from './column-override.ts';
import { body, parseTexts, refusalOf } from './fixture.ts';
import { naturally } from './fold.ts';

/** p10 stands before p2 in the file, and so does a column that is none of them. */
const names = ['age', ...Array.from({ length: 12 }, (_, i) => `p${(i + 10) % 12}`), 'y'];
const cell = (i: number, c: number) => (c === 13 ? i % 2 : c === 0 ? i / 7 : c - 1);
const csv = `${names.join(',')}\n${body(20, (i) => names.map((_, c) => cell(i, c)).join(','))}`;
const fold = (more: Partial<ColumnOverride> = {}): ColumnOverride[] => [
  { name: 'pixels', kind: 'TENSOR', from: 'p*', shape: [1, 3, 4], ...more },
];

describe('from', () => {
  it('puts the columns in the order of their numbers, and takes them away', async () => {
    const dataset = await parseTexts([csv], { columns: fold() });
    expect(dataset.columns.map(({ name, kind }) => [name, kind])).toEqual([
      ['age', 'NUMERIC'],
      ['pixels', 'TENSOR'],
      ['y', 'CATEGORICAL'],
    ]);
    expect(dataset.columns[1]).toMatchObject({ shape: [1, 3, 4], inferred: false, profile: { min: 0, max: 11 } });
    const tensor = decodeTable(dataset.table).columns[1];
    if (tensor?.kind !== 'TENSOR') throw new Error('expected a tensor');
    // p0 stood third (value 2), ..., p10 and p11 first.
    expect(tensor.values.subarray(0, 12)).toEqual(Uint8Array.from([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0, 1]));
  });

  it('without a shape makes a list; what is ignored, and the target, is not taken', async () => {
    const columns = [...fold({ from: '*', shape: undefined }), { name: 'age', kind: 'IGNORE' as const }];
    const dataset = await parseTexts([csv], { columns, split: { testEvery: 5, validation: 0 } });
    expect(dataset.columns.map(({ name }) => name)).toEqual(['age', 'pixels', 'y']);
    expect(dataset.columns[1]).toMatchObject({ shape: [12] });
  });

  it('works without a header, on LAST', async () => {
    const text = body(20, (i) => `${i / 2},${i},3,${i % 2 ? 'a' : 'b'}`);
    const columns = [{ name: 'x', kind: 'TENSOR' as const, from: 'c*' }];
    const dataset = await parseTexts([text], { columns, target: 'LAST', header: false });
    expect(dataset.columns).toMatchObject([{ name: 'x', shape: [3] }, { name: 'c3' }]);
  });

  it.each<[string, string, ColumnOverride[], string, string]>([
    [
      'another number of columns',
      csv,
      fold({ shape: [1, 4, 4] }),
      'BAD_COLUMNS',
      'folds 16 columns (shape 1x4x4), but',
    ],
    ['a pattern that fits none', csv, fold({ from: 'q*' }), 'BAD_COLUMNS', 'from "q*" matches 0'],
    ['a name that is taken', csv, fold({ name: 'age' }), 'BAD_COLUMNS', 'there is a column "age" already'],
    ['another kind', csv, fold({ kind: 'NUMERIC' }), 'BAD_COLUMNS', 'then its kind is TENSOR'],
    ['a text', csv.replace(/,11,1\n/, ',x,1\n'), fold(), 'NOT_A_NUMBER', 'line 3'],
    ['a gap', csv.replace(/,11,1\n/, ',,1\n'), fold(), 'BAD_VALUE', 'column "p9", which "pixels" folds, has no number'],
  ])('refuses %s', async (_, text, columns, code, message) => {
    const error = await refusalOf([text], { columns });
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
  });
});

it('natural order compares runs of digits as numbers', () => {
  expect(['p10', 'p2', 'p', 'q1', 'p2b', 'p2a10', 'p2a9'].sort(naturally)).toEqual([
    ...['p', 'p2', 'p2a9', 'p2a10', 'p2b', 'p10', 'q1'],
  ]);
});
