/**
 * Rows to learn from or to judge by. What is large (tensors, sequences) stays in the table, and batches are gathered
 * from it, so that a data set is never copied whole. Knows no engine and no file.
 */
import { elementsOf, type Table, type TensorColumn, type TokensColumn } from '../contract.ts';
import { JobFailure } from '../failure.ts';
import { paddedLength, paddedLengths } from './lengths.ts';
import type { Recipe, TensorRecipe, TokensRecipe } from './recipe.ts';

/** Where the rows of x come from; `rows` are positions in the table. */
export type Source =
  | { kind: 'FEATURES'; width: number; x: Float32Array }
  | { kind: 'TENSOR'; recipe: TensorRecipe; column: TensorColumn; rows: Uint32Array }
  | { kind: 'TOKENS'; recipe: TokensRecipe; column: TokensColumn; rows: Uint32Array; lengths: Uint32Array };

/** Examples 0..count-1 with their targets. */
export interface Examples {
  count: number;
  source: Source;
  y: Int32Array | Float32Array;
}

/** The rows of a tensor or sequence column; a table's features are prepared by the recipe's graph instead. */
export function sourceOf(table: Table, recipe: Exclude<Recipe, { kind: 'FEATURES' }>, rows: Uint32Array): Source {
  const column = table.columns.find(({ name }) => name === recipe.name);
  if (recipe.kind === 'TENSOR' && column?.kind === 'TENSOR') return { kind: 'TENSOR', recipe, column, rows };
  if (recipe.kind === 'TOKENS' && column?.kind === 'TOKENS') {
    const padded = paddedLengths(recipe.maxLength);
    const { offsets } = column;
    const lengths = rows.map((row) => paddedLength(padded, (offsets[row + 1] ?? 0) - (offsets[row] ?? 0)));
    return { kind: 'TOKENS', recipe, column, rows, lengths };
  }
  throw new JobFailure('DATA_MISMATCH', `the table has no ${recipe.kind} column "${recipe.name}"`);
}

/** What example `index` is padded to; null where all rows have one shape. */
export function lengthOf(source: Source, index: number): number | null {
  return source.kind === 'TOKENS' ? (source.lengths[index] ?? null) : null;
}

/** Values of one row of x. */
export function rowWidth(source: Source, length: number | null): number {
  if (source.kind === 'FEATURES') return source.width;
  return source.kind === 'TENSOR' ? elementsOf(source.column.shape) : (length ?? source.recipe.maxLength);
}

type Row = Float32Array | Int32Array;

/** Zeros for x of so many rows. */
export function emptyRows(source: Source, rows: number, length: number | null): Float32Array | Int32Array {
  const size = rows * rowWidth(source, length);
  return source.kind === 'TOKENS' ? new Int32Array(size) : new Float32Array(size);
}

/** x of these examples as the network reads it, written to the beginning of `into`, which is zeros. */
export function gather(
  source: Source,
  examples: Uint32Array,
  {
    length,
    into = emptyRows(source, examples.length, length),
  }: { length: number | null; into?: Float32Array | Int32Array },
): Float32Array | Int32Array {
  const width = rowWidth(source, length);
  for (const [slot, example] of examples.entries()) {
    const row = into.subarray(slot * width, (slot + 1) * width);
    if (source.kind === 'TOKENS') copyTokens(source, example, row);
    else if (source.kind === 'TENSOR') copyTensor(source, example, row);
    else row.set(source.x.subarray(example * width, (example + 1) * width));
  }
  return into;
}

function copyTensor({ recipe, column, rows }: Source & { kind: 'TENSOR' }, example: number, to: Row): void {
  const { shape, channels } = recipe;
  const start = (rows[example] ?? 0) * to.length;
  const row = column.values.subarray(start, start + to.length);
  if (channels === null || !(to instanceof Float32Array)) {
    to.set(row);
    return;
  }
  const plane = elementsOf(shape.slice(1));
  for (const [channel, center] of channels.center.entries()) {
    const [from, end] = [channel * plane, (channel + 1) * plane];
    standardise(row.subarray(from, end), to.subarray(from, end), center, channels.scale[channel] ?? 1);
  }
}

/** In float32 as the artifact's nodes do it: subtract, round, divide, round. */
function standardise(from: Float32Array | Uint8Array, to: Float32Array, center: number, scale: number): void {
  for (let at = 0; at < from.length; at++) to[at] = Math.fround((from[at] ?? 0) - center) / scale;
}

/** 0 is padding and stays behind the tokens; ids beyond the vocabulary become the last row of the embedding table. */
function copyTokens(
  { recipe, column, rows }: Source & { kind: 'TOKENS' },
  example: number,
  to: Float32Array | Int32Array,
): void {
  const row = rows[example] ?? 0;
  const [start, end] = [column.offsets[row] ?? 0, column.offsets[row + 1] ?? 0];
  for (let at = start; at < end; at++) to[at - start] = Math.min(column.values[at] ?? 0, recipe.vocabulary) + 1;
}
