/** Kinds, profiles, renames and targets, on small literal files. */
import { createHash } from 'node:crypto';
import { decodeTable } from '@anneal/trainer/contract';
import { describe, expect, it } from 'vitest';
import { isMissing, toNumber } from './cells.ts';
import { type Asked, body, parseTexts, refusalOf, rowsOf } from './fixture.ts';

/** The finding on a column, as [kind, reason, code of its finding]. */
async function decided(cells: (i: number) => string, rows = 40, kind?: 'NUMERIC' | 'CATEGORICAL' | 'TEXT' | 'IGNORE') {
  const text = `x,other,y\n${body(rows, (i) => `"${cells(i)}",${i / 7},${i % 2}`)}`;
  const dataset = await parseTexts([text], kind ? { columns: [{ name: 'x', kind }] } : {});
  const column = dataset.columns[0];
  return [column?.kind, column?.reason, dataset.findings.find((f) => f.column === 'x')?.code ?? null];
}

describe('cells', () => {
  it('numbers are decimal, and nothing else', () => {
    for (const text of ['.28', '1e5', '+3', '-0.5', '5.', '007', '1E-3']) expect(toNumber(text)).not.toBeNaN();
    for (const text of ['0x10', '0b1', '0O7', '1,234', 'Infinity', '1e999', '1 2', '--1', '1_000', 'e5'])
      expect(toNumber(text), text).toBeNaN();
  });

  it('missing is a short list', () => {
    for (const text of ['', '?', 'NA', 'N/A', 'NaN', 'nan', 'null', 'NULL', 'None']) expect(isMissing(text)).toBe(true);
    for (const text of ['0', 'none of them', '-', 'no']) expect(isMissing(text)).toBe(false);
  });
});

describe('kinds of columns', () => {
  it.each<[string, (i: number) => string, unknown[]]>([
    ['measurements, some missing', (i) => (i % 9 === 0 ? '?' : `${i / 4}`), ['NUMERIC', null, null]],
    ['integers that repeat', (i) => `${i % 30}`, ['NUMERIC', null, null]],
    ['integers that never repeat', (i) => `${i + 100}`, ['IGNORE', 'IDENTIFIER', 'IDENTIFIER']],
    ['floats that never repeat', (i) => `${i + 100}.5`, ['NUMERIC', null, null]],
    ['words that never repeat', (i) => `id-${i}`, ['IGNORE', 'IDENTIFIER', 'IDENTIFIER']],
    ['few words', (i) => `w${i % 20}`, ['CATEGORICAL', null, null]],
    ['many words, each rare', (i) => `w${i % 39}`, ['TEXT', null, 'TEXT_LEFT_OUT']],
    ['sentences that never repeat', (i) => `this is sentence ${i}`, ['TEXT', null, 'TEXT_LEFT_OUT']],
    ['booleans', (i) => `${i % 3 === 0}`, ['CATEGORICAL', null, null]],
    ['numbers and a word', (i) => (i === 39 ? 'many' : `${i % 5}`), ['CATEGORICAL', null, null]],
    ['one value', () => '3', ['NUMERIC', 'CONSTANT', 'CONSTANT_COLUMN']],
    ['no value', (i) => ['', 'NA', '?'][i % 3] ?? '', ['IGNORE', 'ALL_MISSING', 'ALL_MISSING']],
  ])('%s', async (_, cells, expected) => {
    expect(await decided(cells)).toEqual(expected);
  });

  it('a hundred categories are categories where each comes often', async () => {
    expect(await decided((i) => `w${i % 100}`, 600)).toEqual(['CATEGORICAL', null, null]);
  });

  it('can be said instead', async () => {
    expect(await decided((i) => `${i + 100}`, 40, 'NUMERIC')).toEqual(['NUMERIC', null, null]);
    expect(await decided((i) => `${i % 4}`, 40, 'CATEGORICAL')).toEqual(['CATEGORICAL', null, null]);
    expect(await decided((i) => `w${i % 4}`, 40, 'IGNORE')).toEqual(['IGNORE', 'OVERRIDE', null]);
  });

  it('NUMERIC on words names the first of them', async () => {
    const text = `x,y\n1,0\n\n2,1\ntwo,0\nthree,1\n`;
    const error = await refusalOf([text], { columns: [{ name: 'x', kind: 'NUMERIC' }] });
    expect(error).toMatchObject({ code: 'NOT_A_NUMBER', details: { line: 5, value: 'two', column: 'x' } });
    expect(error.message).toContain('file0, line 5: column "x" is said to be NUMERIC, but holds "two"');
  });

  it('a column that begins as thousands of numbers and ends as words keeps every text', async () => {
    const rows = 9000;
    const dataset = await parseTexts([
      `x,y\n${body(rows, (i) => `${i < rows - 1 ? `0${i % 6000}` : 'A/5'},${i % 2}`)}`,
    ]);
    expect(dataset.columns[0]).toMatchObject({ kind: 'TEXT', profile: { distinct: 6001, missing: 0 } });
    expect(rowsOf(dataset)[5000]?.[0]).toBe('05000');
    expect(rowsOf(dataset)[rows - 1]?.[0]).toBe('A/5');
  });

  it('thousands of numbers are counted exactly', async () => {
    const dataset = await parseTexts([`x,y\n${body(9000, (i) => `${(i % 7000) / 8},${i % 2}`)}`]);
    expect(dataset.columns[0]?.profile.distinct).toBe(7000);
  });
});

describe('renamed values', () => {
  const text = `x,y\n${body(30, (i) => ` ${i % 3 === 0 ? 'unknown' : i / 4} ,${i % 2 ? 'yes.' : ' no'}`)}`;
  const columns: Asked['columns'] = [
    { name: 'x', values: [{ from: 'unknown', to: '' }] },
    { name: 'y', values: [{ from: ' yes. ', to: 'yes' }] },
  ];

  it('come before everything else, on the target too', async () => {
    const dataset = await parseTexts([text], { columns });
    expect(dataset).toMatchObject({ classes: ['no', 'yes'], balance: [{ label: 'no' }, { label: 'yes' }] });
    expect(dataset.columns[0]).toMatchObject({ kind: 'NUMERIC', profile: { missing: 10, count: 20 } });
    expect(dataset.columns[1]?.values).toEqual([{ from: 'yes.', to: 'yes' }]);
  });

  it('of an unknown or repeated column are refused', async () => {
    const unknown = await refusalOf([text], { columns: [{ name: 'X1', kind: 'TEXT' }] });
    expect(unknown).toMatchObject({ code: 'COLUMN_NOT_FOUND', field: ['columns', '0'] });
    expect((await refusalOf([text], { columns: [{ name: 'x' }, { name: 'x' }] })).code).toBe('BAD_COLUMNS');
  });
});

describe('profiles', () => {
  it('numbers: minimum, maximum, mean, standard deviation', async () => {
    const cells = ['2.0', '4', '4', '4', '5', '5', '7', '9', '5', 'NA'];
    const text = `x,y\n${body(10, (i) => `${cells[i]},${i % 2}`)}`;
    const { profile } = (await parseTexts([text])).columns[0] ?? {};
    expect(profile).toMatchObject({ count: 9, missing: 1, distinct: 5, min: 2, max: 9, mean: 5, top: null });
    expect(profile?.std).toBeCloseTo(Math.sqrt(32 / 9), 12);
  });

  it('categories: the ten most frequent values', async () => {
    const text = `x,z,y\n${body(100, (i) => `w${Math.min(i % 15, 11)},${i / 3},${i % 2}`)}`;
    const { profile } = (await parseTexts([text])).columns[0] ?? {};
    expect(profile).toMatchObject({ count: 100, distinct: 12, min: null });
    expect(profile?.top).toHaveLength(10);
    expect(profile?.top?.[0]).toEqual({ value: 'w11', count: 24 });
  });
});

describe('the target', () => {
  const ask = (label: (i: number) => string, asked: Asked = {}) =>
    parseTexts([`x,y\n${body(60, (i) => `${i / 7},${label(i)}`)}`], asked);

  it.each<[string, (i: number) => string, string, unknown]>([
    ['two words', (i) => ['b', 'a'][i % 2] ?? '', 'BINARY', ['a', 'b']],
    ['integers, sorted as numbers', (i) => `${[10, 9, 2][i % 3]}`, 'MULTICLASS', ['2', '9', '10']],
    ['words, sorted by code point', (i) => ['a', 'Z', 'é'][i % 3] ?? '', 'MULTICLASS', ['Z', 'a', 'é']],
    ['few floats', (i) => `${(i % 4) / 2}`, 'REGRESSION', ['0', '0.5', '1', '1.5']],
    ['many integers', (i) => `${i % 21}`, 'REGRESSION', Array.from({ length: 21 }, (_, k) => `${k}`)],
  ])('%s', async (_, label, task, classes) => {
    expect(await ask(label)).toMatchObject({ inferredTask: task, classes });
  });

  it('an integer target keeps values and classes, so that an experiment may choose', async () => {
    const { target } = decodeTable((await ask((i) => `${i % 3}`)).table);
    expect([...(target.values ?? [])].slice(0, 4)).toEqual([0, 1, 2, 0]);
    expect([...(target.codes ?? [])].slice(0, 4)).toEqual([0, 1, 2, 0]);
    const words = decodeTable((await ask((i) => `w${i % 3}`)).table).target;
    expect(words.values).toBeNull();
  });

  it('can be said to be the other task', async () => {
    const numeric = await ask((i) => `${i % 3}`, { columns: [{ name: 'y', kind: 'NUMERIC' }] });
    expect(numeric).toMatchObject({ inferredTask: 'REGRESSION', columns: [{}, { kind: 'NUMERIC', role: 'TARGET' }] });
    const classes = await ask((i) => `${i % 30}`, { columns: [{ name: 'y', kind: 'CATEGORICAL' }] });
    expect(classes).toMatchObject({
      inferredTask: 'MULTICLASS',
      columns: [{}, { kind: 'CATEGORICAL', inferred: false }],
    });
  });

  it('an empty cell drops the row, with a finding, and keeps the index of the others', async () => {
    const dataset = await ask((i) => (i % 10 === 1 ? '?' : `c${i % 2}`));
    expect(dataset.rowCount).toBe(54);
    expect(dataset.findings).toContainEqual(expect.objectContaining({ code: 'TARGET_MISSING', count: 6, column: 'y' }));
    expect([...decodeTable(dataset.table).rows].slice(0, 3)).toEqual([0, 2, 3]);
  });

  it('of one value, of too many words, of none, or not to be read is refused', async () => {
    const refused = (label: (i: number) => string, asked: Asked = {}, rows = 60) =>
      refusalOf([`x,y\n${body(rows, (i) => `${i / 7},${label(i)}`)}`], asked);
    expect((await refused(() => 'only')).code).toBe('ONE_CLASS');
    expect((await refused(() => '')).code).toBe('BAD_TARGET');
    expect((await refused((i) => `w${i}`, {}, 1001)).code).toBe('TOO_MANY_CLASSES');
    expect((await refused((i) => `w${i % 2}`, { columns: [{ name: 'y', kind: 'TEXT' }] })).code).toBe('BAD_TARGET');
  });

  it('rare classes and labels of equal value are reported', async () => {
    const rare = await ask((i) => (i === 5 ? 'rare' : `c${i % 2}`));
    expect(rare.findings).toContainEqual(expect.objectContaining({ code: 'RARE_CLASS', count: 1 }));
    const equal = await ask((i) => ['1', '1.0', '2'][i % 3] ?? '');
    expect(equal.findings).toContainEqual(expect.objectContaining({ code: 'EQUAL_LABELS', count: 1 }));
  });
});

describe('the result', () => {
  const text = `x,id,note,y\n${body(50, (i) => `${i / 4},${i},free text of ${i},${i % 2}`)}`;

  it('is the same for the same bytes, and its digest is that of the table', async () => {
    const [one, two] = [await parseTexts([text]), await parseTexts([text])];
    expect(two).toEqual(one);
    expect(one.digest).toBe(createHash('sha256').update(one.table).digest('hex'));
    const other = await parseTexts([text.replace('0.25', '0.5')]);
    expect(other.digest).not.toBe(one.digest);
  });

  it('holds every column but the ignored ones', async () => {
    const dataset = await parseTexts([text]);
    expect(decodeTable(dataset.table).columns.map((c) => [c.name, c.kind])).toEqual([
      ['x', 'NUMERIC'],
      ['note', 'TEXT'],
    ]);
  });

  it('is plain JSON beside the table', async () => {
    const { table: _, ...rest } = await parseTexts([text]);
    expect(JSON.parse(JSON.stringify(rest))).toEqual(rest);
  });

  it('says where no network can read anything', async () => {
    const dataset = await parseTexts([`note,y\n${body(30, (i) => `free text of ${i},${i % 2}`)}`]);
    expect(dataset.findings.map((f) => f.code)).toContain('NO_USABLE_FEATURES');
  });
});
