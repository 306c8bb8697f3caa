import { PARTS, type Table } from '@anneal/trainer/contract';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { binLabels, categoricalProfile, numericProfile, profilePredictions, profileTable } from './column-profile.ts';

describe('bins of numbers', () => {
  it('hold a tenth of the rows each', () => {
    const values = Float64Array.from({ length: 100 }, (_, i) => (i * 37) % 100); // 0 to 99, shuffled
    const found = numericProfile('x', values);
    const edges = [10, 20, 30, 40, 50, 60, 70, 80, 90];
    expect(found?.profile).toEqual({ column: 'x', kind: 'NUMERIC', edges, min: 0, max: 99 });
    expect(found?.expected).toEqual({ n: 100, missing: 0, counts: Array(10).fill(10) });
  });

  it('keep equal values together and apart from the others', () => {
    const found = numericProfile('gain', Float64Array.from([...Array(90).fill(0), ...Array(10).fill(7), Number.NaN]));
    expect(found?.profile).toMatchObject({ edges: [7], min: 0, max: 7 });
    expect(found?.expected).toEqual({ n: 101, missing: 1, counts: [90, 10] });
    expect(found && binLabels(found.profile)).toEqual(['< 7', '>= 7']);
    const same = numericProfile('one', Float64Array.from([5, 5]));
    expect(same).toMatchObject({ profile: { edges: [] }, expected: { counts: [2] } });
    expect(numericProfile('none', Float64Array.from([Number.NaN]))).toBeUndefined();
  });

  it('are at most ten, cover all rows and lie between rising edges', () => {
    const cells = fc.array(fc.oneof(fc.integer({ min: -9, max: 9 }), fc.double(), fc.constant(Number.NaN)));
    fc.assert(
      fc.property(cells, (values) => {
        const found = numericProfile('x', Float64Array.from(values));
        if (found?.profile.kind !== 'NUMERIC') return values.every((x) => !Number.isFinite(x));
        const { edges } = found.profile;
        const finite = values.filter(Number.isFinite);
        const counts = [...edges, Number.POSITIVE_INFINITY].map(
          (edge, i) => finite.filter((x) => x < edge && x >= (edges[i - 1] ?? Number.NEGATIVE_INFINITY)).length,
        );
        expect(found.expected).toEqual({ n: values.length, missing: values.length - finite.length, counts });
        return edges.length <= 9 && edges.every((edge, i) => i === 0 || edge > (edges[i - 1] ?? edge));
      }),
    );
  });
});

describe('bins of categories', () => {
  it('are the most frequent ones; rare and long ones stand together', () => {
    const dictionary = Array.from({ length: 60 }, (_, i) => `c${i}`);
    const counts = dictionary.map((_, i) => 60 - i);
    dictionary[0] = 'long '.repeat(50);
    const found = categoricalProfile('c', [...dictionary, 'never'], { counts: [...counts, 0], missing: 5 });
    expect(found?.profile).toMatchObject({ categories: dictionary.slice(1, 51), others: true });
    const others = 60 + counts.slice(51).reduce((sum, count) => sum + count, 0);
    expect(found?.expected.counts).toEqual([...counts.slice(1, 51), others]);
    expect(found?.expected).toMatchObject({ n: 1830 + 5, missing: 5 });
    const few = categoricalProfile('c', ['a', 'b'], { counts: [1, 2], missing: 0 });
    expect(few).toMatchObject({ profile: { categories: ['b', 'a'], others: false }, expected: { counts: [2, 1, 0] } });
  });
});

describe('a table', () => {
  const table: Table = {
    rowCount: 4,
    columns: [
      { name: 'x', kind: 'NUMERIC', values: Float64Array.from([1, 2, 3, 99]) },
      { name: 'c', kind: 'CATEGORICAL', dictionary: ['a', 'b'], codes: Int32Array.from([0, -1, 0, 1]) },
    ],
    target: { name: 'y', classes: ['n', 'y'], codes: Int32Array.from([0, 1, 0, 1]), values: null },
    rows: Uint32Array.from([0, 1, 2, 3]),
    split: Uint8Array.from([0, 0, 0, PARTS.indexOf('TEST')]),
  };

  it('is counted over the rows of TRAIN, in the columns that are asked for and of that kind', () => {
    const asked = [
      { name: 'c', kind: 'CATEGORICAL' as const },
      { name: 'x', kind: 'NUMERIC' as const },
      { name: 'x', kind: 'CATEGORICAL' as const },
      { name: 'absent', kind: 'NUMERIC' as const },
    ];
    const [c, x, ...rest] = profileTable(table, asked);
    expect(rest).toEqual([]);
    expect(c).toMatchObject({ profile: { categories: ['a'] }, expected: { n: 3, missing: 1, counts: [2, 0] } });
    expect(x).toMatchObject({ profile: { edges: [2, 3], min: 1, max: 3 }, expected: { n: 3, counts: [1, 1, 1] } });
  });

  it('of very many columns has a profile of the first, as many as a route has room for', () => {
    const wide = (count: number, text: string): Table => ({
      ...table,
      columns: Array.from({ length: count }, (_, i) => ({
        ...{ name: `c${i}`, kind: 'CATEGORICAL' as const },
        ...{ dictionary: ['a', 'b', 'c'].map((end) => text + end), codes: Int32Array.from([0, 1, 2, 0]) },
      })),
    });
    const profiled = (of: Table) => {
      const names = of.columns.map(({ name }) => ({ name, kind: 'CATEGORICAL' as const }));
      return profileTable(of, names);
    };
    expect(profiled(wide(600, ''))).toHaveLength(500);
    const texts = Array.from({ length: 50 }, (_, i) => 'y'.repeat(190) + i);
    const column = { kind: 'CATEGORICAL' as const, dictionary: texts, codes: Int32Array.from(texts.keys()) };
    const heavy: Table = {
      ...table,
      rowCount: 50,
      columns: Array.from({ length: 200 }, (_, i) => ({ name: `c${i}`, ...column })),
      split: new Uint8Array(50),
    };
    const found = profiled(heavy);
    const length = JSON.stringify(found.map(({ profile }) => profile)).length;
    expect(found.length).toBeGreaterThan(40);
    expect(length).toBeLessThan(510_000);
    expect(found.at(-1)?.profile.column).toBe(`c${found.length - 1}`); // the first, without a gap
  });

  it('has predictions beside it', () => {
    const base = { formatVersion: 1 as const, rows: [3, 4, 5] };
    const classes = { ...base, kind: 'CLASSES' as const, classes: ['n', 'y'], probabilities: [], labels: [1, 1, 0] };
    expect(profilePredictions(classes)).toEqual({
      profile: { column: '$prediction', kind: 'CATEGORICAL', categories: ['n', 'y'], others: false },
      expected: { n: 3, missing: 0, counts: [1, 2, 0] },
    });
    const values = profilePredictions({ ...base, kind: 'VALUES', values: [0.5, 1.5, 0.5] });
    expect(values).toMatchObject({ profile: { edges: [1.5] }, expected: { counts: [2, 1] } });
  });
});
