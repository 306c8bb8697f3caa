/**
 * Files into raw columns: chooses the reader, matches columns by name, drops rows without a target. No kinds, no
 * split.
 */
import type { Encoding, SourceFile } from './bytes.ts';
import { isMissing } from './cells.ts';
import { ColumnBuilder, type RawColumn } from './column-builder.ts';
import { type ColumnOverride, renamesOf } from './column-override.ts';
import { type CsvDialect, QuoteFault, type QuoteMode, readCsv, sniffCsv } from './csv.ts';
import type { Delimiter } from './csv-sniff.ts';
import { DataError, type Finding } from './error.ts';
import { checkHeader, matchHeader } from './header.ts';
import { readJsonl } from './jsonl.ts';
import type { Limits } from './limits.ts';
import { suggest } from './nearest.ts';
import { at, type Place, type RecordSink } from './record.ts';

/** What the reading of the files depends on. */
export interface IngestInput {
  files: SourceFile[];
  format: 'CSV' | 'JSONL';
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

/** Reads every file. @throws DataError. */
export async function ingest(input: IngestInput): Promise<Ingested> {
  return input.format === 'CSV' ? ingestCsv(input) : readAgainForTexts(input, (sink) => readAllJsonl(input, sink));
}

async function ingestCsv(input: IngestInput): Promise<Ingested> {
  const dialects = await sniffAll(input);
  let first: QuoteFault | null = null;
  for (const quotes of quoteModes(input.quotes, dialects.find((d) => d !== null)?.delimiter)) {
    try {
      const ingested = await readAgainForTexts(input, (sink) => readAllCsv(input, dialects, quotes, sink));
      if (input.quotes === 'AUTO' && quotes !== 'STRICT') ingested.findings.push(quotesFinding(quotes));
      return ingested;
    } catch (error) {
      if (!(error instanceof QuoteFault)) throw error;
      first ??= error;
    }
  }
  throw first?.refusal ?? emptyFile(input);
}

function quoteModes(asked: IngestInput['quotes'], delimiter: Delimiter | undefined): QuoteMode[] {
  if (asked === 'LITERAL') return ['LITERAL'];
  if (asked === 'QUOTED') return ['STRICT', 'RELAXED'];
  return delimiter === '\t' ? ['STRICT', 'LITERAL', 'RELAXED'] : ['STRICT', 'RELAXED', 'LITERAL'];
}

async function sniffAll(input: IngestInput): Promise<(CsvDialect | null)[]> {
  const named = [input.target, ...input.overrides.keys(), ...(input.splitColumn === null ? [] : [input.splitColumn])];
  const dialects: (CsvDialect | null)[] = [];
  let header = input.header;
  for (const file of input.files) {
    const dialect = await sniffCsv(file, { ...input, header }, named);
    header ??= dialect?.header ?? null; // one file decides for all: a missing header is then an error, not a row
    dialects.push(dialect);
  }
  return dialects;
}

async function readAllCsv(
  input: IngestInput,
  dialects: (CsvDialect | null)[],
  quotes: QuoteMode,
  sink: Collector,
): Promise<void> {
  for (const [i, file] of input.files.entries()) {
    const dialect = dialects[i];
    sink.startFile(i, dialect?.header ?? false);
    if (dialect) await readCsv(file, { ...input, dialect, quotes, wary: input.quotes === 'AUTO' }, sink);
  }
}

async function readAllJsonl(input: IngestInput, sink: Collector): Promise<void> {
  const names: string[] = [];
  for (const [i, file] of input.files.entries()) {
    sink.startFile(i, false);
    await readJsonl(file, input, names, sink);
  }
}

// Reads once; a second time, keeping their texts, where columns that began as many numbers turned out to be texts.
async function readAgainForTexts(input: IngestInput, read: (sink: Collector) => Promise<void>): Promise<Ingested> {
  const first = new Collector(input, new Set());
  await read(first);
  if (first.lostTexts().size === 0) return first.finish();
  const second = new Collector(input, first.lostTexts());
  await read(second);
  return second.finish();
}

/** The sink that both readers fill. */
class Collector implements RecordSink {
  private readonly builders: ColumnBuilder[] = [];
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

  constructor(input: IngestInput, keepTexts: ReadonlySet<string>) {
    this.input = input;
    this.keepTexts = keepTexts;
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

  record(cells: readonly string[], place: Place): void {
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
    const label = this.builders[this.target]?.rename(cells[this.targetCell] ?? '') ?? '';
    if (isMissing(label)) return;
    this.keepRow(index);
    for (let i = 0; i < cells.length; i++) {
      const builder = this.builders[this.order[i] ?? 0];
      builder?.append(builder.rename(cells[i] ?? ''), place);
    }
  }

  lostTexts(): Set<string> {
    return new Set(this.names.filter((_, i) => this.builders[i]?.lost));
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
    this.names.push(name);
    this.builders.push(
      new ColumnBuilder({
        name,
        renames: renamesOf(override),
        keep: ignored ? 'NONE' : all || textual ? 'ALL' : 'NUMBERS_ALONE',
        textCap: Math.min(TEXTS_PER_COLUMN.most, Math.max(TEXTS_PER_COLUMN.least, share)),
        mustBeNumber: override?.kind === 'NUMERIC',
        rowsBefore: this.kept,
      }),
    );
  }

  private checkNames(): void {
    const { input, names } = this;
    if (this.target === -1) throw unknownColumn('TARGET_NOT_FOUND', 'target', input.target, names, ['target']);
    for (const [i, name] of [...input.overrides.keys()].entries())
      if (!names.includes(name))
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

function quotesFinding(quotes: QuoteMode): Finding {
  const message =
    quotes === 'LITERAL'
      ? 'quotes were read as plain characters, because they do not enclose cells consistently'
      : 'quotes inside unquoted cells were read as plain characters';
  return { code: 'QUOTES_LITERAL', severity: 'NOTE', message, column: null, count: null };
}

function emptyFile(input: IngestInput): DataError {
  const names = input.files.map((file) => file.filename).join(', ');
  return new DataError(
    'EMPTY_FILE',
    `${names}: no data rows; expected at least one row${input.format === 'CSV' ? ' below the header' : ''}`,
  );
}
