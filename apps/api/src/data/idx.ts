/**
 * Reads a pair of IDX files, the format of MNIST (http://yann.lecun.com/exdb/mnist, section "file formats"): one file
 * of tensors and one of labels, told apart by their dimensions. Both are streamed, record by record.
 */
import { rawChunks, type SourceFile } from './bytes.ts';
import { DataError } from './error.ts';
import type { Limits } from './limits.ts';
import type { RecordSink } from './record.ts';

/** How the columns are called; `shape` may say more than the file's dimensions do. */
export interface IdxColumns {
  image: string;
  label: string;
}

interface ElementType {
  width: number;
  /** The numbers of a record; all but bytes are big-endian. */
  read: (bytes: Buffer) => ArrayLike<number>;
}

const TYPES: Record<number, ElementType> = {
  8: { width: 1, read: (bytes) => bytes },
  9: { width: 1, read: (bytes) => new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length) },
  11: { width: 2, read: (bytes) => numbers(bytes, 2, (at) => bytes.readInt16BE(at)) },
  12: { width: 4, read: (bytes) => numbers(bytes, 4, (at) => bytes.readInt32BE(at)) },
  13: { width: 4, read: (bytes) => numbers(bytes, 4, (at) => bytes.readFloatBE(at)) },
  14: { width: 8, read: (bytes) => numbers(bytes, 8, (at) => bytes.readDoubleBE(at)) },
};

function numbers(bytes: Buffer, width: number, read: (at: number) => number): Float64Array {
  return Float64Array.from({ length: bytes.length / width }, (_, i) => read(i * width));
}

/** Streams both files' records into `sink` as (image, label). @throws DataError. */
export async function readIdx(
  files: readonly SourceFile[],
  columns: IdxColumns,
  o: { limits: Limits; sink: RecordSink },
): Promise<void> {
  if (files.length !== 2)
    throw bad(`expected two IDX files, one of tensors and one of labels; got ${files.length}`, ['uploadTokens']);
  const opened: Idx[] = [];
  try {
    for (const file of files) opened.push(await Idx.open(file));
    const labels = opened.find(({ dims }) => dims.length === 1);
    const images = opened.find(({ dims }) => dims.length > 1);
    if (!labels || !images) {
      const found = opened
        .map(({ file, dims }) => `${file.filename} has ${dims.length} (${dims.join('x')})`)
        .join(', ');
      throw bad(`expected a file of 1 dimension (labels) and one of more (tensors), but ${found}`, ['uploadTokens']);
    }
    await pair(images, labels, columns, o);
  } finally {
    for (const idx of opened) await idx.close();
  }
}

async function pair(
  images: Idx,
  labels: Idx,
  columns: IdxColumns,
  { limits, sink }: { limits: Limits; sink: RecordSink },
): Promise<void> {
  const [count = 0, ...rest] = images.dims;
  const [labelCount = 0] = labels.dims;
  if (count !== labelCount)
    throw bad(`${images.file.filename} has ${count} records, but ${labels.file.filename} has ${labelCount} labels`);
  const size = rest.reduce((product, dim) => product * dim, 1);
  if (count > limits.rows || count * size > limits.cells)
    throw new DataError('TOO_LARGE', `${images.file.filename}: ${count} records of ${size} numbers are too many`);
  // Grey images come without an axis for their one channel; networks want it.
  const shape = rest.length === 2 ? [1, ...rest] : rest;
  const place = { filename: images.file.filename, line: 0 };
  sink.columns([columns.image, columns.label], place);
  for (let i = 0; i < count; i++) {
    place.line = i + 1;
    const [values, label] = [await images.record(size), await labels.record(1)];
    sink.record([{ shape, values }, String(label[0])], place);
  }
  await images.end();
  await labels.end();
}

/** One file: its header, and then its records one after the other. */
class Idx {
  readonly file: SourceFile;
  readonly dims: number[] = [];
  private type: ElementType = { width: 1, read: (bytes) => bytes };
  private readonly chunks: AsyncIterator<Buffer>;
  private rest: Buffer = Buffer.alloc(0);

  private constructor(file: SourceFile, chunks: AsyncIterator<Buffer>) {
    this.file = file;
    this.chunks = chunks;
  }

  static async open(file: SourceFile): Promise<Idx> {
    const idx = new Idx(file, (await rawChunks(file))[Symbol.asyncIterator]());
    const [zero, zero2, code = 0, rank = 0] = await idx.bytes(4, 'its header');
    const type = TYPES[code];
    if (zero !== 0 || zero2 !== 0 || !type || rank === 0)
      throw bad(`${file.filename} is no IDX file: expected it to begin with 0 0, a type (8, 9, 11-14) and dimensions`);
    idx.type = type;
    const header = await idx.bytes(4 * rank, 'its header');
    for (let i = 0; i < rank; i++) idx.dims.push(header.readUInt32BE(4 * i));
    if (idx.dims.includes(0)) throw bad(`${file.filename}: a dimension is 0 (${idx.dims.join('x')})`);
    return idx;
  }

  async record(size: number): Promise<ArrayLike<number>> {
    return this.type.read(await this.bytes(size * this.type.width, `the ${this.dims.join('x')} numbers of its header`));
  }

  async end(): Promise<void> {
    if (this.rest.length > 0 || !(await this.chunks.next()).done)
      throw bad(`${this.file.filename} goes on behind the ${this.dims.join('x')} numbers that its header announces`);
  }

  async close(): Promise<void> {
    await this.chunks.return?.();
  }

  private async bytes(length: number, of: string): Promise<Buffer> {
    const parts = [this.rest];
    let have = this.rest.length;
    while (have < length) {
      const next = await this.chunks.next();
      if (next.done) throw bad(`${this.file.filename} ends before ${of}`);
      parts.push(next.value);
      have += next.value.length;
    }
    const all = parts.length === 1 ? this.rest : Buffer.concat(parts);
    this.rest = all.subarray(length);
    return all.subarray(0, length);
  }
}

function bad(message: string, field: string[] | null = null): DataError {
  return new DataError('BAD_ROW', message, { field });
}
