/**
 * How one column's cells are read: trimmed, renamed, missing or a value. The order is that of the dataset's parser:
 * trim, then `values` renames, then what means missing, then the kind. Knows no tensor.
 */
import type { ManifestColumn } from '../contract.ts';
import { cellNumber } from '../preprocess/cell.ts';

/** A cell that is refused; the message continues "expected ... ". */
export class BadCell {
  readonly expected: string;

  constructor(expected: string) {
    this.expected = expected;
  }
}

const EXPECTED_NUMBER = new BadCell('a finite number, its text, or null');
const EXPECTED_TEXT = new BadCell('text, a number, a boolean, or null');

/** Reads a JSON value as a number; NaN = missing. */
export type NumberReader = (value: unknown) => number | BadCell;
/** Reads a JSON value as a category's text; "" = missing. */
export type TextReader = (value: unknown) => string | BadCell;

/** The reader of a column whose input is a double. */
export function numberReader(column: ManifestColumn, missing: ReadonlySet<string>): NumberReader {
  const renamed = renames(column);
  const known = numbersOf([...renamed.keys(), ...missing]);
  const fromText = (cell: string): number | BadCell => {
    const text = renamed.get(cell) ?? cell;
    if (text === '' || missing.has(text)) return Number.NaN;
    return cellNumber(text) ?? EXPECTED_NUMBER;
  };
  return (value) => {
    if (typeof value === 'number') {
      // A sentinel such as -999 may come as a number too.
      const text = known.size > 0 ? known.get(value) : undefined;
      if (text !== undefined) return fromText(text);
      return Number.isFinite(value) ? value : EXPECTED_NUMBER;
    }
    if (value === null || value === undefined) return Number.NaN;
    return typeof value === 'string' ? fromText(value.trim()) : EXPECTED_NUMBER;
  };
}

/**
 * The reader of a column whose input is a string. A category that training never saw passes: the graph has a slot for
 * it.
 */
export function textReader(column: ManifestColumn, missing: ReadonlySet<string>): TextReader {
  const renamed = renames(column);
  const known = [...renamed.keys(), ...missing, ...(column.categories ?? [])];
  const numbers = numbersOf(known);
  const folded = firstBy(known, (text) => text.toLowerCase());
  const fromText = (cell: string): string => {
    const text = renamed.get(cell) ?? cell;
    if (missing.has(text)) return '';
    // C strings end at NUL: without this "a\0b" would be taken for "a".
    return text.includes('\0') ? text.replaceAll('\0', '\ufffd') : text;
  };
  return (value) => {
    if (typeof value === 'string') return fromText(value.trim());
    if (value === null || value === undefined) return '';
    if (typeof value === 'number' && Number.isFinite(value)) return fromText(numbers.get(value) ?? String(value));
    if (typeof value === 'boolean') return fromText(folded.get(String(value)) ?? String(value));
    return EXPECTED_TEXT;
  };
}

function renames(column: ManifestColumn): Map<string, string> {
  return new Map(column.values?.map(({ from, to }) => [from, to]));
}

/** Texts by the number that they write: "1.0" and "1" are one, the first wins. */
function numbersOf(texts: string[]): Map<number, string> {
  const map = new Map<number, string>();
  for (const text of texts) {
    const number = cellNumber(text);
    if (number !== undefined && !map.has(number)) map.set(number, text);
  }
  return map;
}

function firstBy(texts: string[], key: (text: string) => string): Map<string, string> {
  return new Map(texts.toReversed().map((text) => [key(text), text]));
}
