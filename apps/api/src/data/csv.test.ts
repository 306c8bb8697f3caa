/** CSV in every style that people write it, and what is refused. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isMissing } from './cells.ts';
import { body, parseTexts, refusalOf, rowsOf } from './fixture.ts';

const codes = (dataset: { findings: { code: string }[] }) => dataset.findings.map((finding) => finding.code);

describe('any table survives being written as CSV in any style', () => {
  // Characters that matter to CSV, and a few that matter to encodings.
  const cell = fc.string({
    unit: fc.constantFrom('a', 'B', '0', '"', ',', ';', '\t', '|', '\n', ' ', "'", 'é', '漢', '🜁'),
  });
  const style = fc.record({
    delimiter: fc.constantFrom(',', ';', '\t', '|'),
    newline: fc.constantFrom('\n', '\r\n'),
    quoteAll: fc.boolean(),
    blankLines: fc.boolean(),
    lastNewline: fc.boolean(),
    bom: fc.boolean(),
  });
  const table = fc
    .integer({ min: 1, max: 4 })
    .chain((columns) =>
      fc.array(fc.array(cell, { minLength: columns, maxLength: columns }), { minLength: 8, maxLength: 20 }),
    );

  const write = (rows: string[][], s: { delimiter: string; newline: string; quoteAll: boolean }) =>
    rows.map((cells) =>
      cells
        .map((text) => {
          const needed = text === '' || /["\n\r]/.test(text) || text.includes(s.delimiter) || /^\s|\s$/.test(text);
          return s.quoteAll || needed ? `"${text.replaceAll('"', '""')}"` : text;
        })
        .join(s.delimiter),
    );

  it('gives back the trimmed cells', async () => {
    await fc.assert(
      fc.asyncProperty(table, style, async (rows, s) => {
        const names = [...(rows[0] ?? []).map((_, i) => `n${i}`), 'y'];
        const records = rows.map((cells, i) => [...cells, i % 2 === 0 ? 'yes' : 'no']);
        const lines = write([names, ...records], s);
        const between = s.blankLines ? `${s.newline}${s.newline}  ${s.newline}` : s.newline;
        const text = `${s.bom ? '\ufeff' : ''}${lines.join(between)}${s.lastNewline ? s.newline : ''}`;
        const columns = names.slice(0, -1).map((name) => ({ name, kind: 'TEXT' as const }));
        const delimiter = s.delimiter === ',' ? ',' : s.delimiter === ';' ? ';' : s.delimiter === '|' ? '|' : '\t';
        const dataset = await parseTexts([text], { columns, delimiter, quotes: 'QUOTED', header: true });
        // A column without any value is left out of the table.
        const kept = names.map((_, i) => i === names.length - 1 || records.some((r) => !isMissing(r[i]?.trim() ?? '')));
        const expected = records.map((cells) =>
          cells.filter((_, i) => kept[i]).map((text) => (isMissing(text.trim()) ? null : text.trim())),
        );
        expect(rowsOf(dataset)).toEqual(expected);
      }),
      { numRuns: 150 },
    );
  });

  it('numbers keep every bit', async () => {
    const double = fc.double({ noNaN: true, noDefaultInfinity: true });
    await fc.assert(
      fc.asyncProperty(fc.array(double, { minLength: 10, maxLength: 30 }), async (values) => {
        const text = `x,y\n${values.map((x, i) => `${x},${i % 2}\n`).join('')}`;
        const columns = [{ name: 'x', kind: 'NUMERIC' as const }];
        const rows = rowsOf(await parseTexts([text], { columns, header: true }));
        expect(rows.map(([x]) => x)).toEqual(values.map((x) => x + 0));
      }),
      { numRuns: 50 },
    );
  });
});

describe('how a file is written is found out', () => {
  it.each([',', ';', '\t', '|'])('delimiter %j', async (d) => {
    const dataset = await parseTexts([`a${d}b${d}y\n${body(20, (i) => `${i / 2}${d}w${i % 3}${d}${i % 2}`)}`]);
    expect(dataset.columns.map((c) => c.name)).toEqual(['a', 'b', 'y']);
  });

  it('a semicolon beats decimal commas, a tab beats prose', async () => {
    const semicolons = await parseTexts([`a;b;y\n${body(20, (i) => `1,${i};2,${i};${i % 2}`)}`]);
    expect(semicolons.columns).toHaveLength(3);
    const prose = await parseTexts([`y\ttext\n${body(20, (i) => `${i % 2}\tWell, this is ${i}`)}`]);
    expect(prose.columns).toHaveLength(2);
  });

  it('no header where the first record looks like data', async () => {
    const numbers = await parseTexts([body(20, (i) => `${i / 2},red,${i % 2}`)], { target: 'LAST' });
    expect(numbers.columns.map((c) => c.name)).toEqual(['c0', 'c1', 'c2']);
    expect(numbers.rowCount).toBe(20);
    const words = await parseTexts([body(20, (i) => `${i % 2 ? 'ham' : 'spam'}\tword ${i}`)], { target: 'c0' });
    expect(words).toMatchObject({ rowCount: 20, targetName: 'c0', classes: ['ham', 'spam'] });
  });

  it('a header where it is named by the target, even if it looks like a number', async () => {
    const dataset = await parseTexts([`2019,2020\n${body(20, (i) => `${i / 2},${i % 2}`)}`], { target: '2020' });
    expect(dataset).toMatchObject({ rowCount: 20, targetName: '2020' });
  });

  it('a header where words stand over numbers, whatever the target is called', async () => {
    expect((await refusalOf([`a,b\n${body(20, (i) => `${i / 2},${i % 2}`)}`], { target: 'c1' })).code).toBe(
      'TARGET_NOT_FOUND',
    );
  });

  it('can be said instead', async () => {
    const dataset = await parseTexts([body(20, (i) => `a${i % 3},b${i % 2}`)], { target: 'LAST', header: false });
    expect(dataset.rowCount).toBe(20);
    expect((await refusalOf(['1,2\n3,4\n'], { header: false })).code).toBe('TARGET_NOT_FOUND');
  });

  it('quotes that do not enclose cells are characters', async () => {
    const tabs = await parseTexts([body(20, (i) => `${i % 2}\t"Hi" she said ${i}\t"${i % 3}`)], { target: 'c0' });
    expect(rowsOf(tabs)[4]).toEqual(['"Hi" she said 4', '"1', '0']);
    expect(codes(tabs)).toContain('QUOTES_LITERAL');
    const inches = await parseTexts([`size,y\n${body(20, (i) => `${i % 3}" pipe,${i % 2}`)}`]);
    expect(rowsOf(inches)[1]).toEqual(['1" pipe', '1']);
  });

  it('a stray quote in a tab-separated file does not swallow rows', async () => {
    const text = body(20, (i) => `${i % 2}\t${i === 3 ? '"oops' : i === 9 ? 'end"' : 'fine'}`);
    expect((await parseTexts([text], { target: 'c0' })).rowCount).toBe(20);
  });

  it('lines may end in CR, and mix LF with CRLF', async () => {
    expect((await parseTexts([`a,y\n${body(20, (i) => `${i % 3},${i % 2}`)}`.replaceAll('\n', '\r')])).rowCount).toBe(
      20,
    );
    expect((await parseTexts([`a,y\r\n${body(20, (i) => `${i % 3},${i % 2}${i % 2 ? '\r' : ''}`)}`])).rowCount).toBe(
      20,
    );
  });
});

describe('refusals name the place', () => {
  it('ragged rows, the first five of them', async () => {
    const error = await refusalOf([`a,b,y\n1,2,0\n\n3,4\n${'5,6,7,8\n'.repeat(9)}`]);
    expect(error.code).toBe('BAD_ROW');
    expect(error.message).toContain('expected 3 cells in every row, but line 4 has 2, line 5 has 4');
    expect(error.details.rows).toHaveLength(5);
  });

  it('a quote left open', async () => {
    const error = await refusalOf(['a,y\n1,0\n"2,1\n3,0\n4,5,6\n'], { quotes: 'QUOTED' });
    expect(error).toMatchObject({ code: 'BAD_QUOTES' });
    expect(error.message).toContain('left open');
  });

  it('no rows, no columns, no target, two columns of one name', async () => {
    expect((await refusalOf([''])).code).toBe('EMPTY_FILE');
    expect((await refusalOf(['a,y\n'])).code).toBe('EMPTY_FILE');
    expect((await refusalOf([`y\n${body(9, (i) => `${i % 2}`)}`])).code).toBe('NO_FEATURES');
    const error = await refusalOf(['size,spices\n1,2\n'], { target: 'species' });
    expect(error).toMatchObject({ code: 'TARGET_NOT_FOUND', field: ['target'] });
    expect(error.message).toContain('did you mean "spices"?');
    expect((await refusalOf(['a,a,y\n1,2,0\n'])).code).toBe('BAD_HEADER');
  });

  it('limits', async () => {
    const text = `a,b,y\n${body(20, (i) => `${i % 3},bbbbb,${i % 2}`)}`;
    for (const limits of [{ rows: 19 }, { columns: 2 }, { cell: 4 }, { cells: 59 }])
      expect((await refusalOf([text], { limits })).code).toBe('TOO_LARGE');
    expect((await parseTexts([text], { limits: { rows: 20, columns: 3, cell: 5, cells: 60 } })).rowCount).toBe(20);
  });
});

describe('several files', () => {
  const rows = (i: number) => `${i % 3},${i % 2}`;

  it('are matched by name, in any order of columns and with any delimiter', async () => {
    const dataset = await parseTexts([`a,y\n${body(10, rows)}`, `y;a\n${body(10, (i) => `${i % 2};${i % 3}`)}`]);
    expect(rowsOf(dataset).slice(10)).toEqual(rowsOf(dataset).slice(0, 10));
  });

  it('must have the same columns', async () => {
    const error = await refusalOf([`a,y\n${body(10, rows)}`, `b,y\n${body(10, rows)}`]);
    expect(error.code).toBe('HEADER_DIFFERS');
    expect(error.message).toContain('file1, line 1: expected the 2 columns of the first file, found 2; missing: "a"');
  });
});

describe('the header is mended where that is safe', () => {
  it('an empty name becomes the position', async () => {
    const dataset = await parseTexts([`,a,y\n${body(20, (i) => `r${i % 4},${i % 3},${i % 2}`)}`]);
    expect(dataset.columns.map((c) => c.name)).toEqual(['c0', 'a', 'y']);
    expect(codes(dataset)).toContain('HEADER_REPAIRED');
  });
});
