/** Encodings, BOMs and gzip, from bytes to cells. */
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { body, parseTexts, refusalOf, rowsOf } from './fixture.ts';

const text = `größe,y\n${body(12, (i) => `Zürich ${i % 3} 漢🜁,${i % 2}`)}`;
const utf16 = (s: string) => Buffer.from(s, 'utf16le');

describe('what the bytes of a file are', () => {
  it.each([
    ['UTF-8', Buffer.from(text)],
    ['UTF-8 with BOM', Buffer.from(`\ufeff${text}`)],
    ['UTF-16 LE with BOM', utf16(`\ufeff${text}`)],
    ['UTF-16 BE with BOM', utf16(`\ufeff${text}`).swap16()],
    ['gzip', gzipSync(text)],
    ['gzip of UTF-16', gzipSync(utf16(`\ufeff${text}`))],
    ['two gzip members', Buffer.concat([gzipSync(text.slice(0, 40)), gzipSync(text.slice(40))])],
  ])('%s is recognised', async (_, bytes) => {
    const dataset = await parseTexts([bytes]);
    expect(dataset.columns[0]?.name).toBe('größe');
    expect(rowsOf(dataset)[1]).toEqual(['Zürich 1 漢🜁', '1']);
  });

  it('other encodings are said', async () => {
    const latin = Buffer.from(`größe,y\n${body(12, (i) => `caf\u00e9 \u0080${i},${i % 2}`)}`, 'latin1');
    const dataset = await parseTexts([latin], { encoding: 'WINDOWS1252' });
    expect(rowsOf(dataset)[0]).toEqual(['café €0', '0']);
    expect((await parseTexts([utf16(text)], { encoding: 'UTF16LE' })).columns[0]?.name).toBe('größe');
  });
});

describe('bytes that are no text', () => {
  it('are refused with their place and the way out', async () => {
    const bytes = Buffer.concat([Buffer.from('a,y\n1,0\nna'), Buffer.from([0xef]), Buffer.from('ve,1\n')]);
    const error = await refusalOf([bytes]);
    expect(error).toMatchObject({ code: 'BAD_ENCODING', field: ['encoding'], details: { byteOffset: 10, line: 3 } });
    expect(error.message).toContain('0xef');
    expect(error.message).toContain('WINDOWS1252');
  });

  it('are found far into the file too', async () => {
    const rows = body(120_000, (i) => `${i % 7} é,${i % 2}`);
    const head = Buffer.from(`a,y\n${rows}`);
    const error = await refusalOf([Buffer.concat([head, Buffer.from([0xc3, 0x28, 0x2c, 0x31, 0x0a])])]);
    expect(error.details).toMatchObject({ byteOffset: head.length, line: 120_002 });
  });

  it('a character that is cut off at the end', async () => {
    const error = await refusalOf([Buffer.concat([Buffer.from('a,y\n1,0\n2,'), Buffer.from([0xe6, 0xbc])])]);
    expect(error).toMatchObject({ code: 'BAD_ENCODING', details: { byteOffset: 10, line: 3 } });
  });

  it('NUL: UTF-16 without BOM, or a binary file', async () => {
    expect((await refusalOf([utf16('a,y\n1,0\n')])).message).toContain('UTF16LE');
  });

  it('a gzip file that is cut off', async () => {
    const whole = gzipSync(body(5000, (i) => `${Math.sin(i)},${i % 2}`));
    const error = await refusalOf([whole.subarray(0, whole.length - 200)], { target: 'LAST' });
    expect(error.code).toBe('BAD_GZIP');
  });
});
