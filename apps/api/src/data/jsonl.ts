/** Reads JSON Lines in constant memory: one object per line; columns are the union of the keys. */
import { type Cell, flattenNumbers } from './arrays.ts';
import { type Encoding, type SourceFile, utf8Chunks } from './bytes.ts';
import { show } from './cells.ts';
import { DataError } from './error.ts';
import type { Limits } from './limits.ts';
import { at, type Place, type RecordSink } from './record.ts';

/** Bad lines that a refusal names. */
const SHOWN_LINES = 5;

/**
 * Streams a file's objects into `sink`, which is told the names again whenever a new key appears. @throws DataError.
 */
export async function readJsonl(
  file: SourceFile,
  options: { encoding: Encoding; limits: Limits },
  names: string[],
  sink: RecordSink,
): Promise<void> {
  const index = new Map(names.map((name, i) => [name, i]));
  const place: Place = { filename: file.filename, line: 0 };
  const bad: { line: number; reason: string }[] = [];
  for await (const line of lines(utf8Chunks(file, options.encoding), options.limits, place)) {
    const object = parseLine(line);
    if (typeof object === 'string') {
      bad.push({ line: place.line, reason: object });
      if (bad.length === SHOWN_LINES) break;
    } else if (object !== null && bad.length === 0) emit(object, { names, index, place, limits: options.limits, sink });
  }
  if (bad.length === 0) return;
  const found = bad.map((b) => `line ${b.line}: ${b.reason}`).join('; ');
  throw new DataError('BAD_ROW', `${file.filename}: expected one JSON object per line, but ${found}`, {
    details: { filename: file.filename, rows: bad },
  });
}

/** An object, null for a blank line, or what is wrong with the line. */
function parseLine(line: string): object | string | null {
  if (line.trim() === '') return null;
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
    return `found ${Array.isArray(value) ? 'an array' : show(line)}`;
  } catch (error) {
    return error instanceof Error ? error.message.slice(0, 120) : 'not JSON';
  }
}

interface Target {
  names: string[];
  index: Map<string, number>;
  place: Place;
  limits: Limits;
  sink: RecordSink;
}

function emit(object: object, { names, index, place, limits, sink }: Target): void {
  const known = names.length;
  const entries = Object.entries(object).map(([key, value]: [string, unknown]) => {
    const column = index.get(key) ?? addName(key, names, index, place, limits);
    return { column, cell: cellOf(value, key, place, limits) };
  });
  if (names.length > known) sink.columns(names, place);
  const cells = new Array<Cell>(names.length).fill('');
  for (const { column, cell } of entries) cells[column] = cell;
  sink.record(cells, place);
}

function addName(key: string, names: string[], index: Map<string, number>, place: Place, limits: Limits): number {
  if (key.trim() === '') throw new DataError('BAD_HEADER', `${at(place)}: an empty key; name every value`);
  if (names.length === limits.columns)
    throw new DataError(
      'TOO_LARGE',
      `${at(place)}: more than ${limits.columns} different keys; at most so many are taken`,
    );
  index.set(key, names.length);
  names.push(key);
  return names.length - 1;
}

function cellOf(value: unknown, key: string, place: Place, limits: Limits): Cell {
  if (value === null) return '';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  const array = Array.isArray(value) ? flattenNumbers(value) : null;
  if (array !== null && typeof array !== 'string') return array;
  if (typeof value !== 'string')
    throw new DataError(
      'BAD_VALUE',
      `${at(place)}: "${key}" holds ${array ?? 'an object'}; a value is a string, a number, a boolean, null or an ` +
        'array of numbers: give everything else columns of its own',
      { details: { filename: place.filename, line: place.line, key } },
    );
  if (value.length > limits.cell)
    throw new DataError(
      'TOO_LARGE',
      `${at(place)}: "${key}" has ${value.length} characters, at most ${limits.cell} are taken`,
    );
  return value.trim();
}

/** Lines without their ends; `place.line` counts along. */
async function* lines(chunks: AsyncIterable<Buffer>, limits: Limits, place: Place): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  let length = 0;
  const take = () => {
    const line = Buffer.concat(parts).toString('utf8');
    parts = [];
    length = 0;
    place.line++;
    return line;
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      parts.push(chunk.subarray(start, end));
      start = end + 1;
      yield take();
    }
    parts.push(chunk.subarray(start));
    length += chunk.length - start;
    if (length > limits.record)
      throw new DataError(
        'TOO_LARGE',
        `${at({ ...place, line: place.line + 1 })}: the line is longer than ${limits.record} bytes; ` +
          'expected one JSON object per line',
      );
  }
  if (length > 0) yield take();
}
