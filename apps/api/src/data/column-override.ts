/** What a person may say about a column instead of letting it be inferred. Knows no reader. */
import { z } from 'zod';
import { DataError } from './error.ts';

export const COLUMN_KINDS = ['NUMERIC', 'CATEGORICAL', 'TEXT', 'TENSOR', 'TOKENS', 'IGNORE'] as const;
export type ColumnKind = (typeof COLUMN_KINDS)[number];

/** A renamed value: applied once to the trimmed cell text, before anything else reads it ("" renames empty cells). */
export const ValueRename = z.strictObject({ from: z.string(), to: z.string() });
export type ValueRename = z.infer<typeof ValueRename>;

/** One column's kind and renamed values; either may be absent. With `from`, a tensor made of other columns. */
export const ColumnOverride = z.strictObject({
  name: z.string().min(1),
  kind: z.enum(COLUMN_KINDS).nullish(),
  values: z.array(ValueRename).max(10_000).nullish(),
  /** TENSOR: the numeric columns that it is folded from, `*` standing for any characters. */
  from: z.string().min(1).max(256).nullish(),
  /** TENSOR: what each row's numbers are, the first axis being that of channels. */
  shape: z.array(z.int().min(1).max(1_000_000)).min(1).max(6).nullish(),
});
export type ColumnOverride = z.infer<typeof ColumnOverride>;

/** Overrides by column name. @throws DataError BAD_COLUMNS where a column or a renamed value stands twice. */
export function overridesByName(columns: readonly ColumnOverride[]): Map<string, ColumnOverride> {
  const byName = new Map<string, ColumnOverride>();
  for (const [i, column] of columns.entries()) {
    if (byName.has(column.name))
      throw new DataError('BAD_COLUMNS', `columns: "${column.name}" stands twice; merge both into one entry`, {
        field: ['columns', String(i), 'name'],
      });
    checkArray(column, i);
    const froms = (column.values ?? []).map(({ from }) => from.trim());
    const twice = froms.findIndex((from, j) => froms.indexOf(from) !== j);
    if (twice !== -1)
      throw new DataError(
        'BAD_COLUMNS',
        `columns: "${column.name}" renames ${JSON.stringify(froms[twice])} twice; keep one of both`,
        { field: ['columns', String(i), 'values', String(twice)] },
      );
    byName.set(column.name, column);
  }
  return byName;
}

/** The renames of an override as they are applied and stored: trimmed like the cells that they meet. */
export function renamesOf(override: ColumnOverride | undefined): ValueRename[] {
  return (override?.values ?? []).map(({ from, to }) => ({ from: from.trim(), to: to.trim() }));
}

function checkArray({ name, kind, from, shape, values }: ColumnOverride, i: number): void {
  const bad = (key: string, message: string) =>
    new DataError('BAD_COLUMNS', `columns: "${name}" ${message}`, { field: ['columns', String(i), key] });
  if (from != null && kind !== 'TENSOR') throw bad('kind', `is folded from "${from}"; then its kind is TENSOR`);
  if (shape != null && kind !== 'TENSOR') throw bad('shape', 'has a shape, which only a TENSOR has; give it that kind');
  if ((kind === 'TENSOR' || kind === 'TOKENS') && values?.length)
    throw bad('values', `renames values, which a column of ${kind} does not have`);
}
