/** A file as a stream of bytes or of valid UTF-8: unzips by content, decodes by BOM or by choice. Knows no format. */
import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { DataError } from './error.ts';

/** How a file's text is stored. AUTO: by BOM, else UTF-8. */
export const ENCODINGS = ['AUTO', 'UTF8', 'UTF16LE', 'UTF16BE', 'WINDOWS1252'] as const;
export type Encoding = (typeof ENCODINGS)[number];

/** One uploaded file: where it lies and how its owner calls it. */
export interface SourceFile {
  path: string;
  filename: string;
}

const GZIP_MAGIC = [0x1f, 0x8b];
const BOMS: { bytes: number[]; encoding: Exclude<Encoding, 'AUTO' | 'WINDOWS1252'> }[] = [
  { bytes: [0xef, 0xbb, 0xbf], encoding: 'UTF8' },
  { bytes: [0xff, 0xfe], encoding: 'UTF16LE' },
  { bytes: [0xfe, 0xff], encoding: 'UTF16BE' },
];
const LABELS = { UTF16LE: 'utf-16le', UTF16BE: 'utf-16be', WINDOWS1252: 'windows-1252' };

/** The file's text as chunks of whole UTF-8 characters, without BOM. @throws DataError BAD_GZIP, BAD_ENCODING. */
export async function* utf8Chunks(file: SourceFile, encoding: Encoding): AsyncGenerator<Buffer> {
  const chunks = withHead(await rawChunks(file), 3);
  const first = (await chunks.next()).value ?? Buffer.alloc(0);
  const bom = BOMS.find(({ bytes }) => startsWith(first, bytes));
  const stored = encoding === 'AUTO' ? (bom?.encoding ?? 'UTF8') : encoding;
  const body = prepend(bom?.encoding === stored ? first.subarray(bom.bytes.length) : first, chunks);
  yield* checkUtf8(stored === 'UTF8' ? body : transcode(body, stored, file), file, stored);
}

/** The file's bytes, unpacked where it begins as a gzip file. @throws DataError BAD_GZIP while they are read. */
export async function rawChunks(file: SourceFile): Promise<AsyncIterable<Buffer>> {
  const handle = await open(file.path);
  const magic = Buffer.alloc(2);
  try {
    await handle.read(magic, 0, 2, 0);
  } finally {
    await handle.close();
  }
  const stream = createReadStream(file.path, { highWaterMark: 256 * 1024 });
  return startsWith(magic, GZIP_MAGIC) ? gunzip(stream, file) : stream;
}

async function* gunzip(source: Readable, file: SourceFile): AsyncGenerator<Buffer> {
  const unzipped = createGunzip({ chunkSize: 256 * 1024 });
  // A failure of either stream destroys both and comes out of the iteration below; the callback only has to exist.
  pipeline(source, unzipped, () => {});
  try {
    yield* unzipped;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && String(error.code).startsWith('Z_'))) throw error;
    throw new DataError(
      'BAD_GZIP',
      `${file.filename}: begins as a gzip file but does not unpack (${error.message}); upload it again or uncompressed`,
    );
  }
}

// The first chunk holds at least `length` bytes, where the file does: a BOM must not fall between two.
async function* withHead(source: AsyncIterable<Buffer>, length: number): AsyncGenerator<Buffer, undefined> {
  let head: Buffer | null = Buffer.alloc(0);
  for await (const chunk of source) {
    if (head === null) yield chunk;
    else {
      head = Buffer.concat([head, chunk]);
      if (head.length < length) continue;
      yield head;
      head = null;
    }
  }
  if (head !== null) yield head;
}

async function* prepend(first: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  if (first.length > 0) yield first;
  yield* rest;
}

async function* transcode(
  source: AsyncIterable<Buffer>,
  encoding: keyof typeof LABELS,
  file: SourceFile,
): AsyncGenerator<Buffer> {
  const decoder = new TextDecoder(LABELS[encoding], { fatal: true, ignoreBOM: true });
  let offset = 0;
  const decode = (chunk?: Buffer) => {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined });
    } catch {
      throw new DataError(
        'BAD_ENCODING',
        `${file.filename}: not valid ${encoding} near byte ${offset}; set encoding to what the file is stored in`,
        { field: ['encoding'], details: { filename: file.filename, encoding, byteOffset: offset } },
      );
    }
  };
  for await (const chunk of source) {
    yield Buffer.from(decode(chunk), 'utf8');
    offset += chunk.length;
  }
  yield Buffer.from(decode(), 'utf8');
}

/**
 * Passes on whole characters only; refuses invalid bytes and NUL (binary files, UTF-16 without BOM; JSONB cannot hold
 * it).
 */
async function* checkUtf8(source: AsyncIterable<Buffer>, file: SourceFile, encoding: Encoding): AsyncGenerator<Buffer> {
  const position = { offset: 0, line: 1 };
  let carry = Buffer.alloc(0);
  for await (const chunk of source) {
    const bytes = carry.length > 0 ? Buffer.concat([carry, chunk]) : chunk;
    const whole = bytes.subarray(0, bytes.length - incompleteTail(bytes));
    carry = Buffer.from(bytes.subarray(whole.length));
    if (!isUtf8(whole) || whole.includes(0)) throw badText(whole, position, file, encoding);
    position.offset += whole.length;
    position.line += countLines(whole, whole.length);
    if (whole.length > 0) yield whole;
  }
  if (carry.length > 0) throw badText(carry, position, file, encoding);
}

/** Bytes at the end that begin a character but do not end it (0 to 3). */
function incompleteTail(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0;
  }
  return 0;
}

function badText(
  bytes: Buffer,
  start: { offset: number; line: number },
  file: SourceFile,
  encoding: Encoding,
): DataError {
  const at = isUtf8(bytes) ? bytes.indexOf(0) : firstInvalid(bytes);
  const byteOffset = start.offset + at;
  const line = start.line + countLines(bytes, at);
  const byte = `0x${(bytes[at] ?? 0).toString(16).padStart(2, '0')}`;
  const what =
    bytes[at] === 0
      ? 'a NUL character; text has none: set encoding to UTF16LE or UTF16BE if it is such text, or export it as ' +
        'CSV if it is a spreadsheet or another binary file'
      : `the byte ${byte}, which is not valid UTF-8; set encoding (for example WINDOWS1252) or save the file as UTF-8`;
  return new DataError('BAD_ENCODING', `${file.filename}: line ${line}, byte ${byteOffset}: found ${what}`, {
    field: ['encoding'],
    details: { filename: file.filename, encoding, byteOffset, line },
  });
}

/** Index of the first byte that begins no valid character; the longest valid prefix is found by halving. */
function firstInvalid(bytes: Buffer): number {
  let valid = 0;
  let invalid = bytes.length;
  while (invalid - valid > 1) {
    const middle = (valid + invalid) >>> 1;
    const prefix = bytes.subarray(0, middle);
    if (isUtf8(prefix.subarray(0, middle - incompleteTail(prefix)))) valid = middle;
    else invalid = middle;
  }
  // Whole characters end before `valid`; a cut one at its end is what turned invalid.
  return valid - incompleteTail(bytes.subarray(0, valid));
}

function countLines(bytes: Buffer, end: number): number {
  let lines = 0;
  for (let at = bytes.indexOf(10); at !== -1 && at < end; at = bytes.indexOf(10, at + 1)) lines++;
  return lines;
}

function startsWith(bytes: Uint8Array, prefix: number[]): boolean {
  return prefix.every((byte, i) => bytes[i] === byte);
}
