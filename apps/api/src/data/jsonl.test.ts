/** JSON Lines to columns. */
import { describe, expect, it } from 'vitest';
import { body, parseTexts, refusalOf, rowsOf } from './fixture.ts';

const asked = { format: 'JSONL' as const };
const line = (object: unknown) => `${JSON.stringify(object)}\n`;

describe('JSON Lines', () => {
  it('takes the union of the keys; what is absent is missing', async () => {
    const text = body(12, (i) => JSON.stringify({ a: i / 2, ...(i > 2 ? { b: ` w${i % 2} ` } : {}), y: i % 2 === 0 }));
    const dataset = await parseTexts([text], asked);
    expect(dataset).toMatchObject({ classes: ['false', 'true'], inferredTask: 'BINARY' });
    expect(dataset.columns.map((c) => [c.name, c.kind])).toEqual([
      ['a', 'NUMERIC'],
      ['y', 'CATEGORICAL'],
      ['b', 'CATEGORICAL'],
    ]);
    expect(rowsOf(dataset)[0]).toEqual([0, null, 'true']);
    expect(rowsOf(dataset)[3]).toEqual([1.5, 'w1', 'false']);
  });

  it('LAST is the last key of the first object', async () => {
    const text = body(12, (i) => JSON.stringify({ a: i / 2, z: i % 2, ...(i > 5 ? { late: 1 } : {}) }));
    expect((await parseTexts([text], { ...asked, target: 'LAST' })).targetName).toBe('z');
  });

  it('skips blank lines and takes a last line without end', async () => {
    const text = `${body(11, (i) => `${JSON.stringify({ a: i / 2, y: i % 2 })}\n`)}{"a":9.5,"y":1}`;
    expect((await parseTexts([text], asked)).rowCount).toBe(12);
  });

  it('refuses nested values, other lines, and texts that no database holds', async () => {
    const nested = await refusalOf([line({ a: 1, y: 0 }) + line({ a: { b: 1 }, y: 0 })], asked);
    expect(nested).toMatchObject({ code: 'BAD_VALUE', details: { line: 2, key: 'a' } });
    const broken = await refusalOf([`${line({ a: 1, y: 0 })}[1]\n{"a":\nnull\n`], asked);
    expect(broken.code).toBe('BAD_ROW');
    expect(broken.details.rows).toMatchObject([{ line: 2 }, { line: 3 }, { line: 4 }]);
    expect((await refusalOf([line({ a: 'x\u0000', y: 'q' })], asked)).code).toBe('BAD_VALUE');
    expect((await refusalOf(['{"a":"\\ud800","y":"q"}\n'], asked)).code).toBe('BAD_VALUE');
  });

  it('refuses an absent target, an unknown column and an empty file', async () => {
    const text = body(12, (i) => JSON.stringify({ a: i / 2, label: i % 2 }));
    expect((await refusalOf([text], asked)).code).toBe('TARGET_NOT_FOUND');
    const columns = [{ name: 'aa', kind: 'TEXT' as const }];
    expect((await refusalOf([text], { ...asked, target: 'label', columns })).field).toEqual(['columns', '0']);
    expect((await refusalOf(['\n\n'], asked)).code).toBe('EMPTY_FILE');
  });
});
