/**
 * The canonical table: one dataset version, parsed once by the API, read by trainer and evaluation. Knows no file and
 * no network.
 *
 * Layout (little-endian): 8 bytes magic "ANNEALT1"; uint32 byte length of the header; the header as JSON (UTF-8),
 * padded with spaces so that what follows starts at a multiple of 8; then the column buffers at the header's offsets,
 * each a multiple of 8:   f64   Float64 x rows, missing = NaN
 *   dict  Int32 x rows, index into `dictionary`, missing = -1
 *   u32   Uint32 x rows      u8  Uint8 x rows
 */
import { z } from 'zod';

export const PARTS = ['TRAIN', 'VALIDATION', 'TEST'] as const;
export type Part = (typeof PARTS)[number];

const Buffer_ = z.strictObject({ byteOffset: z.int().min(0), byteLength: z.int().min(0) });
const Column = z.discriminatedUnion('encoding', [
  z.strictObject({ name: z.string(), kind: z.literal('NUMERIC'), encoding: z.literal('f64'), ...Buffer_.shape }),
  z.strictObject({
    name: z.string(),
    kind: z.enum(['CATEGORICAL', 'TEXT']),
    encoding: z.literal('dict'),
    dictionary: z.array(z.string()),
    ...Buffer_.shape,
  }),
]);

export const TableHeader = z.strictObject({
  formatVersion: z.literal(1),
  rowCount: z.int().min(0),
  /** Feature columns that are not IGNORE, in file order; the target is not among them. */
  columns: z.array(Column),
  target: z.strictObject({
    name: z.string(),
    /** Sorted (numerically if all are numbers); null when the target has too many distinct values for classes. */
    classes: z.array(z.string()).nullable(),
    /** Int32 class index per row; present iff classes is. */
    codes: Buffer_.nullable(),
    /** Float64 value per row; present iff every target cell is a number. */
    values: Buffer_.nullable(),
  }),
  /** Uint32: the 0-based index of the row among the source's data records. */
  rows: Buffer_,
  /** Uint8: index into PARTS. */
  split: Buffer_,
});
export type TableHeader = z.infer<typeof TableHeader>;

export type TableColumn =
  | { name: string; kind: 'NUMERIC'; values: Float64Array }
  | { name: string; kind: 'CATEGORICAL' | 'TEXT'; dictionary: string[]; codes: Int32Array };

export interface Table {
  rowCount: number;
  columns: TableColumn[];
  target: { name: string; classes: string[] | null; codes: Int32Array | null; values: Float64Array | null };
  rows: Uint32Array;
  split: Uint8Array;
}

const MAGIC = 'ANNEALT1';
const align8 = (n: number) => (n + 7) & ~7;
type Typed = Float64Array | Int32Array | Uint32Array | Uint8Array;

/** The table's bytes; the sha256 of them is the dataset version's digest. */
export function encodeTable(table: Table): Uint8Array<ArrayBuffer> {
  const buffers: { at: number; data: Typed }[] = [];
  let end = 0;
  const place = (data: Typed) => {
    const place = { byteOffset: end, byteLength: data.byteLength };
    buffers.push({ at: end, data });
    end = align8(end + data.byteLength);
    return place;
  };
  const header: TableHeader = {
    formatVersion: 1,
    rowCount: table.rowCount,
    columns: table.columns.map((c) =>
      c.kind === 'NUMERIC'
        ? { name: c.name, kind: c.kind, encoding: 'f64', ...place(c.values) }
        : { name: c.name, kind: c.kind, encoding: 'dict', dictionary: c.dictionary, ...place(c.codes) },
    ),
    target: {
      name: table.target.name,
      classes: table.target.classes,
      codes: table.target.codes && place(table.target.codes),
      values: table.target.values && place(table.target.values),
    },
    rows: place(table.rows),
    split: place(table.split),
  };
  const json = new TextEncoder().encode(JSON.stringify(header));
  const start = align8(12 + json.byteLength);
  const bytes = new Uint8Array(start + end).fill(32, 12 + json.byteLength, start);
  bytes.set(new TextEncoder().encode(MAGIC));
  new DataView(bytes.buffer).setUint32(8, start - 12, true);
  bytes.set(json, 12);
  for (const { at, data } of buffers)
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), start + at);
  return bytes;
}

/** Reads a table's bytes. @throws Error naming what is wrong with them. */
export function decodeTable(source: Uint8Array): Table {
  const bytes = source.byteOffset % 8 === 0 ? source : new Uint8Array(source); // typed arrays need alignment
  if (bytes.byteLength < 12 || new TextDecoder().decode(bytes.subarray(0, 8)) !== MAGIC)
    throw new Error(`not a canonical table: expected the magic "${MAGIC}"`);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(8, true);
  const start = 12 + length;
  if (start > bytes.byteLength) throw new Error('canonical table: the header is cut off');
  const header = TableHeader.parse(JSON.parse(new TextDecoder().decode(bytes.subarray(12, start))));
  const view = (place: { byteOffset: number; byteLength: number }, width: number) => {
    if (place.byteLength !== header.rowCount * width || start + place.byteOffset + place.byteLength > bytes.byteLength)
      throw new Error(`canonical table: a buffer of ${place.byteLength} bytes does not fit ${header.rowCount} rows`);
    return [bytes.buffer, bytes.byteOffset + start + place.byteOffset, header.rowCount] as const;
  };
  const { target } = header;
  return {
    rowCount: header.rowCount,
    columns: header.columns.map((c) =>
      c.encoding === 'f64'
        ? { name: c.name, kind: c.kind, values: new Float64Array(...view(c, 8)) }
        : { name: c.name, kind: c.kind, dictionary: c.dictionary, codes: new Int32Array(...view(c, 4)) },
    ),
    target: {
      name: target.name,
      classes: target.classes,
      codes: target.codes && new Int32Array(...view(target.codes, 4)),
      values: target.values && new Float64Array(...view(target.values, 8)),
    },
    rows: new Uint32Array(...view(header.rows, 4)),
    split: new Uint8Array(...view(header.split, 1)),
  };
}
