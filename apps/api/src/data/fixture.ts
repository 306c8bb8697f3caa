/** For tests of this folder: texts as files, parsed in this thread, and refusals as values. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { decodeTable, type Table } from '@anneal/trainer/contract';
import { DataError } from './error.ts';
import { type ParsedDataset, type ParseInput, parse } from './parse.ts';

/** What a test says of an input; the rest is CSV with the target "y". */
export type Asked = Partial<Omit<ParseInput, 'files'>>;

/** Parses the contents as if they were uploaded: file0, file1, ... */
export async function parseTexts(contents: (string | Uint8Array)[], asked: Asked = {}): Promise<ParsedDataset> {
  const folder = mkdtempSync(path.join(tmpdir(), 'anneal-data-'));
  try {
    const files = contents.map((content, i) => {
      const file = { path: path.join(folder, `${i}`), filename: `file${i}` };
      writeFileSync(file.path, content);
      return file;
    });
    return await parse({ files, format: 'CSV', target: 'y', ...asked });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The refusal of an input, or an error that says that there was none. */
export async function refusalOf(contents: (string | Uint8Array)[], asked: Asked = {}): Promise<DataError> {
  try {
    await parseTexts(contents, asked);
  } catch (error) {
    if (error instanceof DataError) return error;
    throw error;
  }
  throw new Error('expected a DataError, but the data set was taken');
}

/** The texts of a table's rows, the target last; missing is null. */
export function rowsOf(dataset: ParsedDataset): (string | number | null)[][] {
  const table = decodeTable(dataset.table);
  return Array.from({ length: table.rowCount }, (_, row) => [
    ...table.columns.map((column) => {
      if (column.kind === 'TENSOR' || column.kind === 'TOKENS') return null; // tests of arrays read the table itself
      if (column.kind !== 'NUMERIC') return column.dictionary[column.codes[row] ?? -1] ?? null;
      const value = column.values[row] ?? Number.NaN;
      return Number.isNaN(value) ? null : value;
    }),
    targetOf(table, row),
  ]);
}

function targetOf({ target }: Table, row: number): string | number | null {
  return target.classes?.[target.codes?.[row] ?? -1] ?? target.values?.[row] ?? null;
}

/** `count` rows of a CSV body, so that every part of the default split has some. */
export function body(count: number, row: (i: number) => string): string {
  return Array.from({ length: count }, (_, i) => `${row(i)}\n`).join('');
}
