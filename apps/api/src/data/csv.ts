/** Reads CSV in constant memory: csv-parse cuts the records, this file decides header, quotes and what is refused. */
import { pipeline } from 'node:stream/promises';
import { CsvError, type Options, parse } from 'csv-parse';
import { type Encoding, type SourceFile, utf8Chunks } from './bytes.ts';
import { show } from './cells.ts';
import { type Delimiter, detectDelimiter, detectHeader, recordDelimiters, sampleRecords } from './csv-sniff.ts';
import { DataError } from './error.ts';
import type { Limits } from './limits.ts';
import { at, type Place, type RecordSink } from './record.ts';

/**
 * How quotes are read. STRICT: RFC 4180. RELAXED: a quote inside an unquoted cell is a character. LITERAL: every
 * quote is
 * (tab-separated exports, IANA text/tab-separated-values). The data set's reader tries them in turn where none is
 * asked for.
 */
export type QuoteMode = 'STRICT' | 'RELAXED' | 'LITERAL';

/** How a CSV file is written, as far as its owner said so. */
export interface CsvOptions {
  encoding: Encoding;
  delimiter: Delimiter | null;
  header: boolean | null;
}

/** How a CSV file is written. */
export interface CsvDialect {
  delimiter: Delimiter;
  header: boolean;
  recordDelimiters: string[];
}

/** Characters of a file's beginning that the dialect is guessed from. */
const HEAD = 1024 * 1024;
/** Bad rows that a refusal names. */
const SHOWN_ROWS = 5;

/** A row fault that another way of reading quotes might cure. */
export class QuoteFault extends Error {
  readonly refusal: DataError;
  constructor(refusal: DataError) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

/** Looks at a file's beginning. `named`: columns that the input speaks of. Null where the file is empty. */
export async function sniffCsv(
  file: SourceFile,
  options: CsvOptions,
  named: readonly string[],
): Promise<CsvDialect | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  let ended = true;
  for await (const chunk of utf8Chunks(file, options.encoding)) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= HEAD) {
      ended = false;
      break;
    }
  }
  const text = Buffer.concat(chunks).toString('utf8');
  if (text.trim() === '') return null;
  const head = ended ? text : text.slice(0, Math.max(text.lastIndexOf('\n'), text.lastIndexOf('\r')) + 1 || undefined);
  const delimiter = options.delimiter ?? detectDelimiter(head);
  const header = options.header ?? detectHeader(sampleRecords(head, delimiter, true), named);
  return { delimiter, header, recordDelimiters: recordDelimiters(head) };
}

/**
 * Streams a file's records into `sink`. @throws DataError; QuoteFault where the fault may lie in how quotes are read.
 */
export async function readCsv(
  file: SourceFile,
  options: { encoding: Encoding; dialect: CsvDialect; quotes: QuoteMode; wary: boolean; limits: Limits },
  sink: RecordSink,
): Promise<void> {
  const reader = new RecordReader(file, options.dialect, options.limits, sink, options.wary);
  const parser = parse({
    ...csvParseOptions(options.dialect, options.quotes, options.limits),
    on_record: (cells: string[], context) => {
      reader.take(cells, context.lines);
      return null;
    },
  });
  parser.resume(); // nothing comes out: on_record takes every record where it is parsed
  const quotes = { seen: false };
  try {
    await pipeline(watchQuotes(utf8Chunks(file, options.encoding), quotes), parser);
    reader.end();
  } catch (error) {
    const refused = refusal(error, file, reader);
    throw refused instanceof QuoteFault && !quotes.seen ? refused.refusal : refused;
  }
}

async function* watchQuotes(chunks: AsyncIterable<Buffer>, quotes: { seen: boolean }): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    quotes.seen ||= chunk.includes(34);
    yield chunk;
  }
}

function csvParseOptions(dialect: CsvDialect, quotes: QuoteMode, limits: Limits): Options<string[]> {
  return {
    delimiter: dialect.delimiter,
    record_delimiter: dialect.recordDelimiters,
    quote: quotes === 'LITERAL' ? null : '"',
    relax_quotes: quotes === 'RELAXED',
    relax_column_count: true, // counted here, so that a refusal can name several rows
    skip_empty_lines: true,
    trim: true,
    max_record_size: limits.record,
  };
}

/** Checks and hands on one file's records; collects the first ragged rows before it refuses. */
class RecordReader {
  readonly ragged: { line: number; expected: number; actual: number }[] = [];
  private expected: number | null = null;
  private readonly file: SourceFile;
  private readonly dialect: CsvDialect;
  private readonly limits: Limits;
  private readonly sink: RecordSink;
  private readonly wary: boolean;
  private readonly place: Place;

  constructor(file: SourceFile, dialect: CsvDialect, limits: Limits, sink: RecordSink, wary: boolean) {
    this.file = file;
    this.dialect = dialect;
    this.limits = limits;
    this.sink = sink;
    this.wary = wary;
    this.place = { filename: file.filename, line: 1 };
  }

  take(cells: string[], line: number): void {
    this.place.line = line;
    for (let i = 0; i < cells.length; i++) cells[i] = this.cell(cells[i] ?? '', i);
    if (this.expected === null) {
      this.begin(cells);
      if (this.dialect.header) return;
    }
    if (cells.length !== this.expected) {
      this.ragged.push({ line, expected: this.expected ?? 0, actual: cells.length });
      if (this.ragged.length === SHOWN_ROWS) throw this.raggedRows();
    } else if (this.ragged.length === 0) this.sink.record(cells, this.place);
  }

  end(): void {
    if (this.ragged.length > 0) throw this.raggedRows();
  }

  private begin(cells: string[]): void {
    this.expected = cells.length;
    if (cells.length > this.limits.columns)
      throw new DataError(
        'TOO_LARGE',
        `${at(this.place)}: ${cells.length} columns, at most ${this.limits.columns} are taken`,
      );
    this.sink.columns(this.dialect.header ? cells : cells.map((_, i) => `c${i}`), this.place);
  }

  private cell(raw: string, column: number): string {
    if (raw.length > this.limits.cell)
      throw new DataError(
        'TOO_LARGE',
        `${at(this.place)}: cell ${column + 1} has ${raw.length} characters, at most ${this.limits.cell} are taken; ` +
          'is a quote left open?',
      );
    // A tab-separated cell that runs over lines and tabs is far more often a stray quote than a quoted cell.
    if (this.wary && this.dialect.delimiter === '\t' && raw.includes('\n') && raw.includes('\t'))
      throw new QuoteFault(
        new DataError(
          'BAD_QUOTES',
          `${at(this.place)}: a quoted cell runs over several rows; set quotes to QUOTED or LITERAL`,
        ),
      );
    return raw.trim();
  }

  private raggedRows(): DataError {
    const rows = this.ragged.map((r) => `line ${r.line} has ${r.actual}`).join(', ');
    return new DataError(
      'BAD_ROW',
      `${this.file.filename}: expected ${this.expected} cells in every row, but ${rows}` +
        `${this.ragged.length === SHOWN_ROWS ? ' (the first five)' : ''}; mend these rows or set the delimiter`,
      { details: { filename: this.file.filename, delimiter: this.dialect.delimiter, rows: this.ragged } },
    );
  }
}

function refusal(error: unknown, file: SourceFile, reader: RecordReader): unknown {
  if (error instanceof DataError && error.code === 'BAD_ROW') return new QuoteFault(error);
  if (!(error instanceof CsvError)) return error;
  const line = typeof error.lines === 'number' ? error.lines : null;
  const where = line === null ? file.filename : `${file.filename}, line ${line}`;
  const details = { filename: file.filename, line, reason: error.code, ragged: reader.ragged };
  const text =
    error.code === 'CSV_MAX_RECORD_SIZE'
      ? 'a row is longer than a row may be; is a quote left open?'
      : error.code === 'CSV_QUOTE_NOT_CLOSED'
        ? 'the file ends inside a quoted cell; a quote is left open'
        : `a quote (") stands where none may (value ${show(String(error.field ?? ''))})`;
  return new QuoteFault(
    new DataError('BAD_QUOTES', `${where}: ${text}; double quotes inside cells, or set quotes to LITERAL`, { details }),
  );
}
