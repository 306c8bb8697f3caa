/** Finds rows that are equal in every feature and in the target. Pure. */
import { elementsOf, type TableColumn } from '@anneal/trainer/contract';

/** For each row the index of the first row equal to it (its own for the first). `columns` all have `rowCount` cells. */
export function firstEqualRows(
  rowCount: number,
  columns: readonly (Float64Array | Int32Array | Uint32Array)[],
): Uint32Array {
  const words = columns.map((cells) => ({
    cells: new Int32Array(cells.buffer, cells.byteOffset, cells.byteLength / 4),
    width: cells.BYTES_PER_ELEMENT / 4,
  }));
  const hashes = hashRows(rowCount, words);
  const equal = (a: number, b: number) =>
    words.every(({ cells, width }) => {
      for (let w = 0; w < width; w++) if (cells[a * width + w] !== cells[b * width + w]) return false;
      return true;
    });
  const first = new Uint32Array(rowCount);
  const slots = new Int32Array(2 ** Math.ceil(Math.log2(rowCount * 2 + 1))).fill(-1); // open addressing, half full
  const mask = slots.length - 1;
  for (let row = 0; row < rowCount; row++) {
    let slot = (hashes[row] ?? 0) & mask;
    for (;;) {
      const other = slots[slot] ?? -1;
      if (other === -1) {
        slots[slot] = row;
        first[row] = row;
        break;
      }
      if (hashes[other] === hashes[row] && equal(other, row)) {
        first[row] = other;
        break;
      }
      slot = (slot + 1) & mask;
    }
  }
  return first;
}

// 32-bit multiply-and-rotate over each row's words (MurmurHash3's mixing), one column after the other.
function hashRows(rowCount: number, columns: readonly { cells: Int32Array; width: number }[]): Uint32Array {
  const hashes = new Uint32Array(rowCount);
  for (const { cells, width } of columns)
    for (let row = 0; row < rowCount; row++) {
      let hash = hashes[row] ?? 0;
      for (let w = 0; w < width; w++) {
        let word = Math.imul(cells[row * width + w] ?? 0, 0xcc9e2d51);
        word = Math.imul((word << 15) | (word >>> 17), 0x1b873593);
        hash ^= word;
        hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
      }
      hashes[row] = hash;
    }
  for (let row = 0; row < rowCount; row++) {
    let hash = hashes[row] ?? 0;
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    hashes[row] = hash ^ (hash >>> 16);
  }
  return hashes;
}

/** A table column's cells as `firstEqualRows` wants them. */
export function cellsOf(column: TableColumn): Float64Array | Int32Array | Uint32Array {
  switch (column.kind) {
    case 'NUMERIC':
      return column.values;
    case 'TENSOR':
      return firstEqualArrays(column.values, column.values.length / elementsOf(column.shape), (row) => {
        const size = elementsOf(column.shape);
        return [row * size, (row + 1) * size];
      });
    case 'TOKENS': {
      const { offsets, values } = column;
      return firstEqualArrays(values, offsets.length - 1, (row) => [offsets[row] ?? 0, offsets[row + 1] ?? 0]);
    }
    default:
      return column.codes;
  }
}

/** For each row the first row with the same numbers: a column of arrays as one of codes. */
function firstEqualArrays(
  values: Float32Array | Uint8Array | Int32Array,
  rowCount: number,
  rangeOf: (row: number) => [start: number, end: number],
): Int32Array {
  const width = values.BYTES_PER_ELEMENT;
  const bytesOf = (row: number) => {
    const [start, end] = rangeOf(row);
    return Buffer.from(values.buffer, values.byteOffset + start * width, (end - start) * width);
  };
  const rowsByHash = new Map<number, number[]>();
  return Int32Array.from({ length: rowCount }, (_, row) => {
    const bytes = bytesOf(row);
    const hash = hashBytes(bytes);
    const known = rowsByHash.get(hash) ?? [];
    const first = known.find((other) => bytesOf(other).equals(bytes));
    if (first === undefined) rowsByHash.set(hash, [...known, row]);
    return first ?? row;
  });
}

// FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv): equality is settled byte by byte.
function hashBytes(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}
