/** Files into raw columns: chooses the reader, and reads again where that is needed. No kinds, no split. */
import { Collector, emptyFile, type Ingested, type IngestInput } from './collector.ts';
import { type CsvDialect, QuoteFault, type QuoteMode, readCsv, sniffCsv } from './csv.ts';
import type { Delimiter } from './csv-sniff.ts';
import type { Finding } from './error.ts';
import { readIdx } from './idx.ts';
import { readJsonl } from './jsonl.ts';

export type { Ingested } from './collector.ts';

/** Reads every file. @throws DataError. */
export async function ingest(input: IngestInput): Promise<Ingested> {
  if (input.format === 'CSV') return ingestCsv(input);
  return readAgainForTexts(input, (sink) =>
    input.format === 'IDX' ? readPair(input, sink) : readAllJsonl(input, sink),
  );
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
  const named = [input.target, ...namesOf(input), ...(input.splitColumn === null ? [] : [input.splitColumn])];
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

/** The columns that overrides speak of; those that they make of others are in no file. */
function namesOf({ overrides }: IngestInput): string[] {
  return [...overrides.values()].flatMap(({ name, from }) => (from == null ? [name] : []));
}

async function readPair(input: IngestInput, sink: Collector): Promise<void> {
  const tensors = [...input.overrides.values()].filter(({ kind }) => kind === 'TENSOR');
  const image = tensors.length === 1 ? (tensors[0]?.name ?? 'image') : 'image';
  sink.startFile(0, false);
  await readIdx(input.files, { image, label: 'label' }, { limits: input.limits, sink });
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

function quotesFinding(quotes: QuoteMode): Finding {
  const message =
    quotes === 'LITERAL'
      ? 'quotes were read as plain characters, because they do not enclose cells consistently'
      : 'quotes inside unquoted cells were read as plain characters';
  return { code: 'QUOTES_LITERAL', severity: 'NOTE', message, column: null, count: null };
}
