/**
 * One column while its cells arrive: a dictionary of texts, or numbers alone where there are too many. No kinds yet.
 */
import type { ArrayData } from './array-builder.ts';
import { isIntegerText, isMissing, show, toNumber } from './cells.ts';
import type { ValueRename } from './column-override.ts';
import { DataError } from './error.ts';
import { at, type Place } from './record.ts';

/**
 * How much of the cells' texts a column keeps. NUMBERS_ALONE: at most `textCap` distinct ones while all are numbers.
 */
export type KeepText = 'NUMBERS_ALONE' | 'ALL' | 'NONE';

/** A column with all its cells. `numbers` is present iff every cell with a value is a number and there is one. */
export interface RawColumn {
  name: string;
  rows: number;
  missing: number;
  /** Different values; null where no text was kept. */
  distinct: number | null;
  /** Null for columns of more numbers than a dictionary is good for, and for columns that nothing reads. */
  texts: { dictionary: string[]; codes: Int32Array } | null;
  numbers: Float64Array | null;
  /** Whether every number is written without point and exponent. */
  integers: boolean;
  /** Of columns of arrays, which have neither texts nor numbers; null of all others. */
  array: ArrayData | null;
}

const FIRST_CAPACITY = 1024;

/** Takes a column's cells one after the other; see RawColumn for what comes of them. */
export class ColumnBuilder {
  /** True when a text met a column whose texts were given up: the file must be read again, keeping this column's. */
  lost = false;
  private rows = 0;
  private missing = 0;
  private allNumbers = true;
  private allIntegers = true;
  private index = new Map<string, number>();
  private dictionary: string[] = [];
  private codes = new Int32Array(FIRST_CAPACITY);
  private numbers: Float64Array | null = null;
  private readonly name: string;
  private readonly renames: Map<string, string>;
  private readonly keep: KeepText;
  private readonly textCap: number;
  private readonly mustBeNumber: boolean;

  constructor(options: {
    name: string;
    renames: ValueRename[];
    keep: KeepText;
    textCap: number;
    mustBeNumber: boolean;
    /** Rows before the column was first seen: all missing. */
    rowsBefore: number;
  }) {
    this.name = options.name;
    this.renames = new Map(options.renames.map(({ from, to }) => [from, to]));
    this.keep = options.keep;
    this.textCap = options.textCap;
    this.mustBeNumber = options.mustBeNumber;
    for (let i = 0; i < options.rowsBefore; i++) this.append('', { filename: '', line: 0 });
  }

  /** Whether it has taken no cell yet. */
  get empty(): boolean {
    return this.rows === 0;
  }

  /** The cell's text as everything downstream sees it. */
  rename(cell: string): string {
    return this.renames.size === 0 ? cell : (this.renames.get(cell) ?? cell);
  }

  /** Takes a renamed cell. @throws DataError NOT_A_NUMBER, BAD_VALUE. */
  append(text: string, place: Place): void {
    const row = this.rows++;
    const missing = isMissing(text);
    if (missing) this.missing++;
    if (this.keep === 'NONE') return;
    if (this.numbers !== null) this.appendNumber(row, missing ? Number.NaN : this.numberIn(text, place));
    else {
      if (row === this.codes.length) this.codes = grow(this.codes, new Int32Array(row * 2));
      this.codes[row] = missing ? -1 : (this.index.get(text) ?? this.addText(text, place));
      if (this.keep === 'NUMBERS_ALONE' && this.allNumbers && this.dictionary.length > this.textCap) this.giveUpTexts();
    }
  }

  finish(): RawColumn {
    const { name, rows, missing } = this;
    const base = { name, rows, missing, integers: this.allIntegers, array: null };
    if (this.keep === 'NONE') return { ...base, distinct: null, texts: null, numbers: null };
    if (this.numbers !== null) {
      const numbers = this.numbers.slice(0, rows);
      return { ...base, distinct: countDistinct(numbers), texts: null, numbers };
    }
    const texts = { dictionary: this.dictionary, codes: this.codes.slice(0, rows) };
    const numbers = this.allNumbers && texts.dictionary.length > 0 ? numbersOf(texts) : null;
    return { ...base, distinct: texts.dictionary.length, texts, numbers };
  }

  private addText(text: string, place: Place): number {
    if (!text.isWellFormed() || text.includes('\u0000'))
      throw new DataError(
        'BAD_VALUE',
        `${at(place)}, column "${this.name}": ${show(text)} holds a NUL or half a surrogate pair, which no text has`,
      );
    this.numberIn(text, place);
    const code = this.dictionary.push(text) - 1;
    this.index.set(text, code);
    return code;
  }

  private numberIn(text: string, place: Place): number {
    const value = toNumber(text) + 0; // -0 and 0 are one value
    if (Number.isNaN(value)) {
      if (this.mustBeNumber) throw notANumber(this.name, text, place);
      this.allNumbers = false;
      if (this.numbers !== null) this.lost = true;
    } else if (this.allIntegers && !isIntegerText(text)) this.allIntegers = false;
    return value;
  }

  private appendNumber(row: number, value: number): void {
    if (this.numbers === null) return;
    if (row === this.numbers.length) this.numbers = grow(this.numbers, new Float64Array(row * 2));
    this.numbers[row] = value;
  }

  private giveUpTexts(): void {
    const numbers = numbersOf({ dictionary: this.dictionary, codes: this.codes });
    this.numbers = numbers;
    this.index = new Map();
    this.dictionary = [];
    this.codes = new Int32Array(0);
  }
}

function notANumber(name: string, text: string, place: Place): DataError {
  return new DataError(
    'NOT_A_NUMBER',
    `${at(place)}: column "${name}" is said to be NUMERIC, but holds ${show(text)}; rename this value, or make the ` +
      'column CATEGORICAL or TEXT',
    {
      field: ['columns'],
      details: { column: name, filename: place.filename, line: place.line, value: text.slice(0, 200) },
    },
  );
}

function grow<T extends Int32Array | Float64Array>(old: T, bigger: T): T {
  bigger.set(old);
  return bigger;
}

function numbersOf({ dictionary, codes }: { dictionary: string[]; codes: Int32Array }): Float64Array {
  const values = Float64Array.from(dictionary, (text) => toNumber(text) + 0);
  return Float64Array.from(codes, (code) => values[code] ?? Number.NaN);
}

function countDistinct(numbers: Float64Array): number {
  const sorted = numbers.slice().sort(); // NaN last
  let distinct = 0;
  for (let i = 0; i < sorted.length; i++) {
    const value = sorted[i] ?? Number.NaN;
    if (!Number.isNaN(value) && (i === 0 || value !== sorted[i - 1])) distinct++;
  }
  return distinct;
}
