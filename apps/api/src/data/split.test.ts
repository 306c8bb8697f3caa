/** Which row goes to which part, and what is said about equal rows. */
import { decodeTable } from '@anneal/trainer/contract';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Asked, body, parseTexts, refusalOf } from './fixture.ts';
import { SplitSpec } from './split-spec.ts';

type Split = NonNullable<Asked['split']>;

const distinct = (rows: number, label: (i: number) => string) => `x,y\n${body(rows, (i) => `${i / 8},${label(i)}`)}`;
const partsOf = async (text: string, split: Split) => {
  const dataset = await parseTexts([text], { split });
  return { ...dataset, parts: [...decodeTable(dataset.table).split], table: decodeTable(dataset.table) };
};
const two = (i: number) => `c${i % 2}`;

describe('a drawn split', () => {
  it('is 70/15/15, seed 0, stratified', async () => {
    const { split } = await partsOf(distinct(200, two), {});
    expect(split.spec).toEqual({ kind: 'RANDOM', train: 0.7, validation: 0.15, test: 0.15, seed: 0, stratify: true });
    expect(split.counts).toEqual({ TRAIN: 140, VALIDATION: 30, TEST: 30 });
  });

  it('keeps the shares in total and, within a row, in every class', async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 2, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(1000), async (classes, seed) => {
        const labels = classes.flatMap((size, c) => Array<string>(size).fill(`k${c}`));
        fc.pre(labels.length >= 40);
        const { parts, table } = await partsOf(
          distinct(labels.length, (i) => labels[i] ?? ''),
          { seed },
        );
        const share = (part: number, rows: number[]) => rows.filter((row) => parts[row] === part).length;
        const rows = [...parts.keys()];
        for (const [c, size] of classes.entries()) {
          const ofClass = rows.filter((row) => table.target.codes?.[row] === c);
          expect(share(0, ofClass)).toBeGreaterThanOrEqual(1); // no class is missing from training
          expect(Math.abs(share(0, ofClass) - 0.7 * size)).toBeLessThan(2.1);
        }
        // The first row of each class goes to TRAIN whatever it lacks.
        expect(Math.abs(share(2, rows) - 0.15 * rows.length)).toBeLessThan(2);
      }),
      { numRuns: 30 },
    );
  });

  it('depends on the seed and on nothing else', async () => {
    const text = distinct(200, two);
    const [a, b, c] = [await partsOf(text, {}), await partsOf(text, { seed: 0 }), await partsOf(text, { seed: 1 })];
    expect(a.split.digest).toBe(b.split.digest);
    expect(a.split.digest).not.toBe(c.split.digest);
  });

  it('stratifies a regression by deciles', async () => {
    const { parts, table } = await partsOf(
      distinct(400, (i) => `${i * i}.5`),
      {},
    );
    const values = table.target.values ?? new Float64Array(0);
    const upper = parts.filter((part, row) => part === 2 && (values[row] ?? 0) > 200 * 200);
    expect(upper.length).toBeGreaterThanOrEqual(28);
    expect(upper.length).toBeLessThanOrEqual(32);
  });

  it('keeps equal rows in one part', async () => {
    // Every row three times, far apart.
    const { parts, findings } = await partsOf(`x,y\n${body(300, (i) => `${(i % 100) / 8},c${i % 2}`)}`, {});
    for (let i = 0; i < 100; i++) expect([parts[i], parts[i + 100]]).toEqual([parts[i + 100], parts[i + 200]]);
    expect(findings.map((f) => [f.code, f.count])).toEqual([['DUPLICATE_ROWS', 200]]);
  });

  it('takes shares that add up', async () => {
    const counts = async (split: Split) => Object.values((await partsOf(distinct(100, two), split)).split.counts);
    expect(await counts({ test: 0.3 })).toEqual([55, 15, 30]);
    expect(await counts({ train: 0.8 })).toEqual([80, 10, 10]);
    expect(await counts({ train: 0.8, validation: 0 })).toEqual([80, 0, 20]);
    expect(await counts({ train: 0.6, validation: 0.2, test: 0.2 })).toEqual([60, 20, 20]);
    for (const split of [
      { train: 0.7, test: 0.5 },
      { train: 0.9, validation: 0.1 },
      { validation: 0.5, test: 0.5 },
    ])
      expect((await refusalOf([distinct(100, two)], { split })).code).toBe('BAD_SPLIT');
  });
});

describe('every n-th row', () => {
  it('counts data records, dropped ones too, blank lines not', async () => {
    const text = `x,y\n${body(40, (i) => `${i === 3 ? '\n' : ''}${i / 8},${i === 7 ? '' : two(i)}`)}`;
    const { parts, table, split } = await partsOf(text, { testEvery: 5 });
    expect([...table.rows].slice(6, 9)).toEqual([6, 8, 9]);
    for (const [row, part] of parts.entries()) expect(part === 2).toBe((table.rows[row] ?? 0) % 5 === 0);
    expect(split.counts).toEqual({ TRAIN: 26, VALIDATION: 5, TEST: 8 });
  });

  it('draws no validation where none is wanted', async () => {
    const { split } = await partsOf(distinct(40, two), { testEvery: 5, validation: 0 });
    expect(split.counts).toEqual({ TRAIN: 32, VALIDATION: 0, TEST: 8 });
  });

  it('reports rows of TEST that TRAIN holds too', async () => {
    const { findings } = await partsOf(`x,y\n${body(60, (i) => `${(i % 30) / 8 + (i === 31 ? 99 : 0)},${two(i)}`)}`, {
      testEvery: 4,
    });
    // Rows 0, 4, ..., 56 are TEST; the twin of each is 30 away, so never TEST.
    expect(findings.find((f) => f.code === 'DUPLICATES_ACROSS_SPLITS')?.count).toBe(15);
  });
});

describe('a column that says the part', () => {
  const text = (cell: (i: number) => string) => `part,x,y\n${body(40, (i) => `${cell(i)},${i / 8},${two(i)}`)}`;

  it('is read without regard to case, and is no feature', async () => {
    const given = await partsOf(
      text((i) => ['Train', 'TEST', 'val', 'train'][i % 4] ?? ''),
      { column: 'part' },
    );
    expect(given.parts.slice(0, 4)).toEqual([0, 2, 1, 0]);
    expect(given.columns[0]).toMatchObject({ kind: 'IGNORE', reason: 'SPLIT_COLUMN' });
    expect(given.table.columns.map((c) => c.name)).toEqual(['x']);
    expect(given.split.spec).toMatchObject({ kind: 'COLUMN', validation: 0 });
  });

  it('leaves validation to be drawn where it names none', async () => {
    const given = await partsOf(
      text((i) => (i % 4 === 0 ? 'test' : 'train')),
      { column: 'part' },
    );
    expect(given.split.counts).toEqual({ TRAIN: 25, VALIDATION: 5, TEST: 10 });
  });

  it('must exist, say nothing else, and not be the target', async () => {
    const refused = async (cell: (i: number) => string, split: Split) =>
      (await refusalOf([text(cell)], { split })).code;
    expect(await refused(() => 'train', { column: 'prat' })).toBe('COLUMN_NOT_FOUND');
    expect(await refused((i) => (i === 9 ? 'holdout' : 'train'), { column: 'part' })).toBe('BAD_SPLIT');
    expect(await refused((i) => (i === 9 ? '' : 'train'), { column: 'part' })).toBe('BAD_SPLIT');
    expect(await refused(() => 'train', { column: 'y' })).toBe('BAD_SPLIT');
    expect(await refused(() => 'train', { column: 'part' })).toBe('SPLIT_TOO_SMALL');
    expect(await refused((i) => ['train', 'val', 'test'][i % 3] ?? '', { column: 'part', validation: 0.2 })).toBe(
      'BAD_SPLIT',
    );
  });
});

describe('a part per file', () => {
  const files = [distinct(40, two), distinct(10, two)];

  it('is kept, and validation is drawn from TRAIN', async () => {
    const dataset = await parseTexts(files, { split: { files: ['TRAIN', 'TEST'] } });
    expect(dataset.split.counts).toEqual({ TRAIN: 34, VALIDATION: 6, TEST: 10 });
    expect([...decodeTable(dataset.table).split].slice(40)).toEqual(Array(10).fill(2));
    expect(dataset.findings.find((f) => f.code === 'DUPLICATES_ACROSS_SPLITS')?.count).toBe(10);
  });

  it('needs one part for each, TRAIN and TEST among them', async () => {
    const wrong: Split[] = [
      { files: ['TRAIN'] },
      { files: ['TRAIN', 'TRAIN'] },
      { files: ['TRAIN', 'TEST'], testEvery: 5 },
    ];
    for (const split of wrong) expect((await refusalOf(files, { split })).code).toBe('BAD_SPLIT');
  });
});

describe('what cannot be split', () => {
  it('is refused with the counts', async () => {
    const error = await refusalOf([distinct(3, two)]);
    expect(error).toMatchObject({ code: 'SPLIT_TOO_SMALL', field: ['split'] });
    expect(error.message).toContain('of 3 rows');
  });

  it('the shape of a spec is checked at the door', () => {
    expect(SplitSpec.safeParse({ testEvery: 1 }).success).toBe(false);
    expect(SplitSpec.safeParse({ train: 1.2 }).success).toBe(false);
    expect(SplitSpec.safeParse({ nonsense: 1 }).success).toBe(false);
    expect(SplitSpec.safeParse({ train: null, files: ['TRAIN', 'TEST'] }).success).toBe(true);
  });
});
