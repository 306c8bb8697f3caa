/**
 * Records into raw columns: the sink that every reader fills. Matches columns by name, drops rows without a target. No
 * kinds, no split.
 */
import { ArrayBuilder } from './array-builder.ts';
import type { Cell } from './arrays.ts';
import type { Encoding, SourceFile } from './bytes.ts';
import { isMissing } from './cells.ts';
import { ColumnBuilder, type RawColumn } from './column-builder.ts';
import { type ColumnOverride, renamesOf } from './column-override.ts';
import type { Delimiter } from './csv-sniff.ts';
import { DataError, type Finding } from './error.ts';
import { foldMatcher } from './fold.ts';
import { checkHeader, matchHeader } from './header.ts';
import type { Limits } from './limits.ts';
import { suggest } from './nearest.ts';
import { at, type Place, type RecordSink } from './record.ts';

/** What the reading of the files depends on. */
export interface IngestInput {
  files: SourceFile[];
  format: 'CSV' | 'JSONL' | 'IDX';
  target: string;
  overrides: Map<string, ColumnOverride>;
  /** The column that says which part a row belongs to, if one does. */
  splitColumn: string | null;
  encoding: Encoding;
  delimiter: Delimiter | null;
  header: boolean | null;
  quotes: 'AUTO' | 'QUOTED' | 'LITERAL';
  limits: Limits;
}

/** The rows that have a target, by column. */
export interface Ingested {
  columns: RawColumn[];
  target: number;
  /** 0-based index of each kept row among the data records of all files, in order. */
  rows: Uint32Array;
  /** Which file each kept row came from. */
  files: Uint16Array;
  findings: Finding[];
}

/** The most different numbers whose texts all columns together keep: about 100 bytes each. */
const TEXTS_KEPT = 4_000_000;
/** A target may have 1,000 classes, so its texts must outlive that many. */
const TEXTS_PER_COLUMN = { least: 64, most: 4096 };

/** The sink that all readers fill. */
export class Collector implements RecordSink {
  private readonly builders: (ColumnBuilder | ArrayBuilder)[] = [];
  private readonly folded: (name: string) => boolean;
  private readonly names: string[] = [];
  private readonly findings: Finding[] = [];
  private readonly input: IngestInput;
  private readonly keepTexts: ReadonlySet<string>;
  private order: number[] = [];
  private target = -1;
  private targetCell = -1;
  private rows = new Uint32Array(1024);
  private files = new Uint16Array(1024);
  private file = 0;
  private header = false;
  private kept = 0;
  private records = 0;
  /** In arrays, all columns together. */
  private numbers = 0;

  constructor(input: IngestInput, keepTexts: ReadonlySet<string>) {
    this.input = input;
    this.keepTexts = keepTexts;
    const spared = [input.target, ...(input.splitColumn === null ? [] : [input.splitColumn])];
    this.folded = foldMatcher(input.overrides.values(), spared);
  }

  startFile(index: number, header: boolean): void {
    this.file = index;
    this.header = header;
  }

  columns(given: readonly string[], place: Place): void {
    const csv = this.input.format === 'CSV';
    const names = csv && !this.header ? [...given] : checkHeader(given, place, this.findings);
    if (csv && this.names.length > 0) this.order = matchHeader(this.names, names, this.header, place);
    else {
      if (this.target === -1) this.target = findTarget(names, this.input.target);
      for (const name of names.slice(this.names.length)) this.addColumn(name, names.length);
      this.order = names.map((_, i) => i);
      if (csv) this.checkNames();
    }
    this.targetCell = this.order.indexOf(this.target);
  }

  record(cells: readonly Cell[], place: Place): void {
    const index = this.records++;
    if (this.records > this.input.limits.rows)
      throw new DataError(
        'TOO_LARGE',
        `${at(place)}: more than ${this.input.limits.rows} rows; at most so many are taken`,
      );
    if (this.builders.length * (this.kept + 1) > this.input.limits.cells)
      throw new DataError(
        'TOO_LARGE',
        `${at(place)}: more than ${this.input.limits.cells} cells (rows x columns); at most so many are taken`,
      );
    const target = this.builders[this.target];
    const label = cells[this.targetCell] ?? '';
    if (typeof label === 'string' && isMissing(target instanceof ColumnBuilder ? target.rename(label) : label)) return;
    this.keepRow(index);
    for (let i = 0; i < cells.length; i++) this.append(this.order[i] ?? 0, cells[i] ?? '', place);
    if (this.numbers > this.input.limits.cells)
      throw new DataError('TOO_LARGE', `${at(place)}: more than ${this.input.limits.cells} numbers in arrays`);
  }

  lostTexts(): Set<string> {
    return new Set(
      this.names.filter((_, i) => {
        const builder = this.builders[i];
        return builder instanceof ColumnBuilder && builder.lost;
      }),
    );
  }

  finish(): Ingested {
    if (this.records === 0) throw emptyFile(this.input);
    this.checkNames();
    const dropped = this.records - this.kept;
    if (this.kept === 0)
      throw new DataError('BAD_TARGET', `target "${this.input.target}": empty in all ${this.records} rows`, {
        field: ['target'],
      });
    if (dropped > 0) this.findings.push(targetMissing(this.names[this.target] ?? '', dropped));
    return {
      columns: this.builders.map((builder) => builder.finish()),
      target: this.target,
      rows: this.rows.slice(0, this.kept),
      files: this.files.slice(0, this.kept),
      findings: this.findings,
    };
  }

  private append(column: number, cell: Cell, place: Place): void {
    const builder = this.builders[column];
    if (builder instanceof ArrayBuilder) {
      this.numbers -= builder.size;
      builder.append(cell, place);
      this.numbers += builder.size;
    } else if (typeof cell === 'string') builder?.append(builder.rename(cell), place);
    else if (builder) this.appendArray(column, builder, cell, place);
  }

  /** The first array of a column that could have been anything. */
  private appendArray(column: number, builder: ColumnBuilder, cell: Cell, place: Place): void {
    const name = this.names[column] ?? '';
    const kind = this.input.overrides.get(name)?.kind ?? null;
    if (kind === 'IGNORE') {
      builder.append('', place);
      return;
    }
    const where = `${at(place)}, column "${name}"`;
    const { filename, line } = place;
    const details = { column: name, filename, line };
    if (kind !== null || name === this.input.splitColumn)
      throw new DataError('BAD_VALUE', `${where}: found an array; ${kind ?? 'a split column'} holds none`, { details });
    if (!builder.empty)
      throw new DataError(
        'BAD_VALUE',
        `${where}: found an array, but rows before have none; expected arrays in all rows or in none`,
        { details },
      );
    this.builders[column] = new ArrayBuilder(name, null, null);
    this.append(column, cell, place);
  }

  private keepRow(index: number): void {
    if (this.kept === this.rows.length) {
      const rows = new Uint32Array(this.kept * 2);
      rows.set(this.rows);
      this.rows = rows;
      const files = new Uint16Array(this.kept * 2);
      files.set(this.files);
      this.files = files;
    }
    this.rows[this.kept] = index;
    this.files[this.kept] = this.file;
    this.kept++;
  }

  private addColumn(name: string, columnCount: number): void {
    const override = this.input.overrides.get(name);
    const all = this.keepTexts.has(name) || name === this.input.splitColumn;
    const ignored = override?.kind === 'IGNORE' && name !== this.input.splitColumn;
    const textual = override?.kind === 'CATEGORICAL' || override?.kind === 'TEXT';
    const share = this.names.length === this.target ? TEXTS_PER_COLUMN.most : TEXTS_KEPT / columnCount;
    const mustBeNumber = this.names.length !== this.target && this.folded(name);
    this.names.push(name);
    if (override?.from == null && (override?.kind === 'TENSOR' || override?.kind === 'TOKENS')) {
      if (this.kept > 0)
        throw new DataError('BAD_VALUE', `column "${name}": the rows before have none; an array cannot be missing`);
      this.builders.push(new ArrayBuilder(name, override.kind, override.shape ?? null));
      return;
    }
    this.builders.push(
      new ColumnBuilder({
        name,
        renames: renamesOf(override),
        keep: ignored ? 'NONE' : all || textual ? 'ALL' : 'NUMBERS_ALONE',
        textCap: Math.min(TEXTS_PER_COLUMN.most, Math.max(TEXTS_PER_COLUMN.least, share)),
        mustBeNumber: override?.kind === 'NUMERIC' || mustBeNumber,
        rowsBefore: this.kept,
      }),
    );
  }

  private checkNames(): void {
    const { input, names } = this;
    if (this.target === -1) throw unknownColumn('TARGET_NOT_FOUND', 'target', input.target, names, ['target']);
    for (const [i, { name, from }] of [...input.overrides.values()].entries())
      if (from == null && !names.includes(name))
        throw unknownColumn('COLUMN_NOT_FOUND', 'columns', name, names, ['columns', String(i)]);
    const { splitColumn } = input;
    if (splitColumn !== null && !names.includes(splitColumn))
      throw unknownColumn('COLUMN_NOT_FOUND', 'split', splitColumn, names, ['split', 'column']);
  }
}

/** Position of the target, -1 where there is none. LAST is the last column unless a column is called so. */
function findTarget(names: readonly string[], target: string): number {
  const named = names.indexOf(target);
  return named === -1 && target === 'LAST' ? names.length - 1 : named;
}

function unknownColumn(
  code: 'TARGET_NOT_FOUND' | 'COLUMN_NOT_FOUND',
  where: string,
  name: string,
  names: readonly string[],
  field: string[],
): DataError {
  const headerless = names.every((n, i) => n === `c${i}`) ? ' (the file was read as one without a header row)' : '';
  return new DataError(code, `${where}: there is no column "${name}"${headerless}; ${suggest(name, names)}`, { field });
}

function targetMissing(name: string, count: number): Finding {
  const message = `${count} rows have no value for the target "${name}" and were left out`;
  return { code: 'TARGET_MISSING', severity: 'WARNING', message, column: name, count };
}

/** The refusal of files without a row. */
export function emptyFile(input: IngestInput): DataError {
  const names = input.files.map((file) => file.filename).join(', ');
  return new DataError(
    'EMPTY_FILE',
    `${names}: no data rows; expected at least one row${input.format === 'CSV' ? ' below the header' : ''}`,
  );
}
