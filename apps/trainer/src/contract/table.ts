/**
 * The canonical table: one dataset version, parsed once by the API, read by trainer and evaluation. Knows no file and
 * no network.
 *
 * Layout (little-endian): 8 bytes magic "ANNEALT1"; uint32 byte length of the header; the header as JSON (UTF-8),
 * padded with spaces so that what follows starts at a multiple of 8; then the column buffers at the header's offsets,
 * each a multiple of 8:   f64   Float64 x rows, missing = NaN
 *   dict  Int32 x rows, index into `dictionary`, missing = -1
 *   f32, u8  Float32 or Uint8 x rows x product(shape), row after row, never missing
 *   ragged   Uint32 x (rows + 1) offsets and Int32 values: row i is values[offsets[i] .. offsets[i + 1]], never empty
 *   u32   Uint32 x rows      u8  Uint8 x rows
 */
import { z } from 'zod';

export const PARTS = ['TRAIN', 'VALIDATION', 'TEST'] as const;
export type Part = (typeof PARTS)[number];

const Buffer_ = z.strictObject({ byteOffset: z.int().min(0), byteLength: z.int().min(0) });
const Tensor = { name: z.string(), kind: z.literal('TENSOR'), shape: z.array(z.int().min(1)).min(1) };
const Column = z.discriminatedUnion('encoding', [
  z.strictObject({ name: z.string(), kind: z.literal('NUMERIC'), encoding: z.literal('f64'), ...Buffer_.shape }),
  z.strictObject({
    name: z.string(),
    kind: z.enum(['CATEGORICAL', 'TEXT']),
    encoding: z.literal('dict'),
    dictionary: z.array(z.string()),
    ...Buffer_.shape,
  }),
  z.strictObject({ ...Tensor, encoding: z.literal('f32'), ...Buffer_.shape }),
  /** Of what holds whole numbers from 0 to 255 only, such as pixels. */
  z.strictObject({ ...Tensor, encoding: z.literal('u8'), ...Buffer_.shape }),
  z.strictObject({
    name: z.string(),
    kind: z.literal('TOKENS'),
    encoding: z.literal('ragged'),
    /** The largest id of all rows + 1. */
    vocabulary: z.int().min(1),
    /** Tokens of the longest row. */
    maxLength: z.int().min(1),
    offsets: Buffer_,
    values: Buffer_,
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
  | { name: string; kind: 'CATEGORICAL' | 'TEXT'; dictionary: string[]; codes: Int32Array }
  | TensorColumn
  | TokensColumn;

/** Numbers of one shape in every row: [rows, ...shape]. */
export type TensorColumn = { name: string; kind: 'TENSOR'; shape: number[]; values: Float32Array | Uint8Array };

/** A sequence of ids of its own length in every row. */
export type TokensColumn = {
  name: string;
  kind: 'TOKENS';
  vocabulary: number;
  maxLength: number;
  /** rows + 1 */
  offsets: Uint32Array;
  values: Int32Array;
};

/** Elements of one row of a shape. */
export const elementsOf = (shape: readonly number[]) => shape.reduce((product, dim) => product * dim, 1);

export interface Table {
  rowCount: number;
  columns: TableColumn[];
  target: { name: string; classes: string[] | null; codes: Int32Array | null; values: Float64Array | null };
  rows: Uint32Array;
  split: Uint8Array;
}

const MAGIC = 'ANNEALT1';
const align8 = (n: number) => (n + 7) & ~7;
type Typed = Float64Array | Float32Array | Int32Array | Uint32Array | Uint8Array;
type Place = z.infer<typeof Buffer_>;

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
    columns: table.columns.map((column) => describeColumn(column, place)),
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

function describeColumn(column: TableColumn, place: (data: Typed) => Place): z.infer<typeof Column> {
  const { name } = column;
  switch (column.kind) {
    case 'NUMERIC':
      return { name, kind: column.kind, encoding: 'f64', ...place(column.values) };
    case 'TENSOR': {
      const { kind, shape, values } = column;
      return { name, kind, shape, encoding: values instanceof Uint8Array ? 'u8' : 'f32', ...place(values) };
    }
    case 'TOKENS': {
      const { kind, vocabulary, maxLength } = column;
      const [offsets, values] = [place(column.offsets), place(column.values)];
      return { name, kind, encoding: 'ragged', vocabulary, maxLength, offsets, values };
    }
    default:
      return { name, kind: column.kind, encoding: 'dict', dictionary: column.dictionary, ...place(column.codes) };
  }
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
  const view: View = (place, width, count = header.rowCount) => {
    if (place.byteLength !== count * width || start + place.byteOffset + place.byteLength > bytes.byteLength)
      throw new Error(`canonical table: a buffer of ${place.byteLength} bytes does not fit ${header.rowCount} rows`);
    return [bytes.buffer, bytes.byteOffset + start + place.byteOffset, count];
  };
  const { target } = header;
  return {
    rowCount: header.rowCount,
    columns: header.columns.map((column) => readColumn(column, header.rowCount, view)),
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

/** Where a buffer of `count` elements (one per row unless said) of `width` bytes lies. */
type View = (place: Place, width: number, count?: number) => [ArrayBufferLike, number, number];

function readColumn(column: z.infer<typeof Column>, rows: number, view: View): TableColumn {
  const { name } = column;
  switch (column.encoding) {
    case 'f64':
      return { name, kind: column.kind, values: new Float64Array(...view(column, 8)) };
    case 'dict':
      return { name, kind: column.kind, dictionary: column.dictionary, codes: new Int32Array(...view(column, 4)) };
    case 'ragged': {
      const { kind, vocabulary, maxLength } = column;
      const offsets = new Uint32Array(...view(column.offsets, 4, rows + 1));
      const values = new Int32Array(...view(column.values, 4, offsets[rows] ?? 0));
      if (offsets.some((offset, row) => row > 0 && offset <= (offsets[row - 1] ?? 0)))
        throw new Error(`canonical table: the offsets of "${name}" do not rise`);
      return { name, kind, vocabulary, maxLength, offsets, values };
    }
    default: {
      const { kind, shape, encoding } = column;
      const count = rows * elementsOf(shape);
      const values = encoding === 'u8' ? new Uint8Array(...view(column, 1, count)) : null;
      return { name, kind, shape, values: values ?? new Float32Array(...view(column, 4, count)) };
    }
  }
}
