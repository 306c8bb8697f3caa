/** Guesses how a CSV file is written (delimiter, header or none) from its beginning. Reads no file. */
import { parse } from 'csv-parse/sync';
import { isMissing, toNumber } from './cells.ts';

/** Delimiters in order of preference where several fit every record: a comma is also a decimal sign and in prose. */
export const DELIMITERS = ['\t', ';', '|', ','] as const;
export type Delimiter = (typeof DELIMITERS)[number];

/** Records of the beginning that a guess looks at. */
const SAMPLE_RECORDS = 50;

/** Records of `head` (whole lines); a quote that stays open ends the sample early instead of failing. */
export function sampleRecords(head: string, delimiter: string, quote: boolean): string[][] {
  const records: string[][] = [];
  try {
    parse(head, {
      delimiter,
      quote: quote ? '"' : null,
      record_delimiter: recordDelimiters(head),
      relax_quotes: true,
      relax_column_count: true,
      skip_empty_lines: true,
      trim: true,
      to: SAMPLE_RECORDS,
      on_record: (record: string[]) => {
        records.push(record.map((cell) => cell.trim()));
        return null;
      },
    });
  } catch {
    // What came before the fault is sample enough; the full parse reports faults with their place.
  }
  return records;
}

/** Line ends of a file; a bare CR ends lines only where no LF does (Mac OS 9), else it is white space in a cell. */
export function recordDelimiters(head: string): string[] {
  return head.includes('\n') || !head.includes('\r') ? ['\r\n', '\n'] : ['\r'];
}

/** The delimiter that cuts the records most evenly; "," where none cuts at all (one column). */
export function detectDelimiter(head: string): Delimiter {
  let best: { delimiter: Delimiter; evenness: number } = { delimiter: ',', evenness: 0 };
  for (const delimiter of DELIMITERS) {
    for (const quote of [true, false]) {
      const evenness = shareOfUsualCount(sampleRecords(head, delimiter, quote).map((record) => record.length));
      if (evenness > best.evenness) best = { delimiter, evenness };
    }
  }
  return best.delimiter;
}

// The share of records with the most frequent number of cells; 0 where that number is one.
function shareOfUsualCount(counts: number[]): number {
  const frequency = new Map<number, number>();
  for (const count of counts) frequency.set(count, (frequency.get(count) ?? 0) + 1);
  const [usual] = [...frequency].sort(([a, x], [b, y]) => y - x || b - a);
  return usual === undefined || usual[0] === 1 ? 0 : usual[1] / counts.length;
}

/**
 * Whether the first record names the columns. `named` are the columns that the input speaks of (target, overrides,
 * split column): a first record that holds one of them is a header.
 */
export function detectHeader(records: readonly (readonly string[])[], named: readonly string[]): boolean {
  const [first = [], ...rest] = records;
  if (named.some((name) => first.includes(name))) return true;
  if (first.some((cell) => !isMissing(cell) && isNumber(cell))) return false;
  const below = (column: number) => rest.map((record) => record[column] ?? '').filter((cell) => !isMissing(cell));
  const headsNumbers = (cell: string, column: number) => {
    const cells = below(column);
    return !isMissing(cell) && cells.length > 0 && cells.every(isNumber);
  };
  if (first.some(headsNumbers)) return true;
  if (named.some((name) => /^c\d+$/.test(name))) return false;
  // A name does not come back as a value, and it is short.
  return !first.some((cell, column) => cell.length > 100 || (cell !== '' && below(column).includes(cell)));
}

const isNumber = (cell: string) => !Number.isNaN(toNumber(cell));
