/** A column in a few numbers, for people. Pure. */

import { compareCodePoints } from './cells.ts';
import type { RawColumn } from './column-builder.ts';

/**
 * What is in a column, over all kept rows whatever their part. Of TENSOR the moments are those of all its numbers, of
 * TOKENS those of the sequences' lengths.
 */
export interface ColumnProfile {
  /** Cells with a value. */
  count: number;
  missing: number;
  /** Exact; null where the column is ignored and its texts were not kept. */
  distinct: number | null;
  min: number | null;
  max: number | null;
  mean: number | null;
  /** Of the population: divided by the count. */
  std: number | null;
  /** The most frequent values, most frequent first; null for numbers and where no value comes twice. */
  top: { value: string; count: number }[] | null;
}

const TOP_VALUES = 10;
const LONGEST_VALUE = 200;

/** Numbers are profiled as numbers unless `asCategories`. */
export function profileColumn(column: RawColumn, asCategories: boolean): ColumnProfile {
  const { missing, distinct, numbers, texts } = column;
  const count = column.rows - missing;
  const base = { count, missing, distinct };
  if (column.array !== null) {
    const numbers = column.array.kind === 'TOKENS' ? lengthsOf(column.array) : column.array.values;
    return { ...base, ...moments(numbers, numbers.length), top: null };
  }
  if (numbers !== null && !asCategories) return { ...base, ...moments(numbers, count), top: null };
  const empty = { min: null, max: null, mean: null, std: null };
  return { ...base, ...empty, top: texts === null || distinct === count ? null : topValues(texts) };
}

function lengthsOf({ offsets }: { offsets: Uint32Array }): Uint32Array {
  return offsets.subarray(1).map((end, row) => end - (offsets[row] ?? 0));
}

function moments(numbers: Iterable<number>, count: number) {
  let [min, max, sum] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
  for (const x of numbers) {
    if (Number.isNaN(x)) continue;
    if (x < min) min = x;
    if (x > max) max = x;
    sum += x / count; // divided first: a sum of large numbers must not overflow
  }
  let squares = 0;
  for (const x of numbers) if (!Number.isNaN(x)) squares += (x - sum) ** 2 / count;
  const finite = (value: number) => (Number.isFinite(value) ? value : null);
  return { min: finite(min), max: finite(max), mean: finite(sum), std: finite(Math.sqrt(squares)) };
}

function topValues({ dictionary, codes }: { dictionary: string[]; codes: Int32Array }) {
  const counts = countCodes(codes, dictionary.length);
  const order = Array.from(counts.keys()).sort(
    (a, b) => (counts[b] ?? 0) - (counts[a] ?? 0) || compareCodePoints(dictionary[a] ?? '', dictionary[b] ?? ''),
  );
  return order.slice(0, TOP_VALUES).map((code) => ({ value: cut(dictionary[code] ?? ''), count: counts[code] ?? 0 }));
}

/** How often each code stands in `codes`; -1 (missing) is not counted. */
export function countCodes(codes: Int32Array, size: number): Uint32Array {
  const counts = new Uint32Array(size);
  for (const code of codes) if (code >= 0) counts[code] = (counts[code] ?? 0) + 1;
  return counts;
}

// Cut by code points: half a surrogate pair could not be stored.
function cut(value: string): string {
  return value.length <= LONGEST_VALUE ? value : `${[...value].slice(0, LONGEST_VALUE).join('')}…`;
}
