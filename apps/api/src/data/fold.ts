/** Groups of numeric columns folded into one tensor, as their owner asks for: `from: "p*", shape: [1, 8, 8]`. Pure. */
import { elementsOf } from '@anneal/trainer/contract';
import type { RawColumn } from './column-builder.ts';
import type { ColumnOverride } from './column-override.ts';
import { DataError } from './error.ts';

/** Which columns a fold takes: `*` stands for any characters. What is ignored, predicted or splits is never taken. */
export function foldMatcher(overrides: Iterable<ColumnOverride>, spared: readonly string[]): (name: string) => boolean {
  const all = [...overrides];
  const patterns = all.flatMap(({ from }) => (from == null ? [] : [patternOf(from)]));
  const out = new Set([...spared, ...all.flatMap(({ name, kind }) => (kind === 'IGNORE' ? [name] : []))]);
  return (name) => !out.has(name) && patterns.some((pattern) => pattern.test(name));
}

/**
 * Puts each tensor in the place of its first column. `spared`: target and split column.
 * @throws DataError BAD_COLUMNS, BAD_VALUE naming columns and rows.
 */
export function foldColumns(
  columns: readonly RawColumn[],
  overrides: Iterable<ColumnOverride>,
  o: { spared: readonly string[]; rows: Uint32Array },
): RawColumn[] {
  const all = [...overrides];
  let folded = [...columns];
  for (const [index, override] of all.entries()) {
    if (override.from == null) continue;
    const field = ['columns', String(index)];
    const matches = foldMatcher([override, ...all.filter(({ from }) => from == null)], o.spared);
    const group = folded.filter(({ name }) => matches(name)).sort((a, b) => naturally(a.name, b.name));
    const tensor = fold(group, override, { field, rows: o.rows });
    if (folded.some(({ name }) => name === override.name && !matches(name)))
      throw new DataError(
        'BAD_COLUMNS',
        `columns: there is a column "${override.name}" already; call the tensor else`,
        {
          field: [...field, 'name'],
        },
      );
    const first = folded.findIndex(({ name }) => matches(name));
    folded = folded.flatMap((column, i) => (i === first ? [tensor] : matches(column.name) ? [] : [column]));
  }
  return folded;
}

function fold(
  group: readonly RawColumn[],
  { name, from, shape: asked }: ColumnOverride,
  { field, rows }: { field: string[]; rows: Uint32Array },
): RawColumn {
  const shape = asked ?? [group.length];
  if (group.length === 0 || group.length !== elementsOf(shape)) {
    const found = group.map((column) => column.name);
    const shown = found.length > 4 ? [...found.slice(0, 3), '...', ...found.slice(-1)] : found;
    throw new DataError(
      'BAD_COLUMNS',
      `columns: "${name}" folds ${asked ? elementsOf(shape) : 'at least 1'} columns (shape ${shape.join('x')}), but ` +
        `from "${from}" matches ${group.length}${shown.length > 0 ? ` (${shown.join(', ')})` : ''}`,
      { field: [...field, 'from'] },
    );
  }
  const size = rows.length * group.length;
  const bytes = group.every((column) => column.numbers?.every((v) => v >= 0 && v <= 255 && Number.isInteger(v)));
  const values = bytes ? new Uint8Array(size) : new Float32Array(size);
  for (const [i, column] of group.entries())
    for (let row = 0; row < rows.length; row++) {
      const value = column.numbers?.[row] ?? Number.NaN;
      if (!Number.isFinite(Math.fround(value))) throw badCell(column, { name, field }, rows[row] ?? row, value);
      values[row * group.length + i] = value;
    }
  const base = { name, rows: rows.length, missing: 0, distinct: null, integers: false, texts: null, numbers: null };
  return { ...base, array: { kind: 'TENSOR', shape: [...shape], values } };
}

function badCell(
  column: RawColumn,
  { name, field }: { name: string; field: string[] },
  record: number,
  value: number,
): DataError {
  const found = Number.isNaN(value) ? 'no number' : `${value}, which no float32 holds`;
  return new DataError(
    'BAD_VALUE',
    `column "${column.name}", which "${name}" folds, has ${found} in data record ${record + 1}; a tensor cannot have ` +
      'gaps: rename the value, or leave the column out of `from`',
    { field, details: { column: column.name, record } },
  );
}

function patternOf(glob: string): RegExp {
  const literal = (text: string) => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${glob.split('*').map(literal).join('.*')}$`, 's');
}

/** p2 before p10: runs of digits compare as numbers. */
export function naturally(a: string, b: string): number {
  const [left, right] = [a, b].map((name) => name.match(/\d+|\D+/g) ?? []);
  for (const [i, part] of (left ?? []).entries()) {
    const other = right?.[i];
    if (other === undefined) return 1;
    const difference = /^\d/.test(part) && /^\d/.test(other) ? Number(part) - Number(other) : 0;
    if (difference !== 0) return difference;
    if (part !== other) return part < other ? -1 : 1;
  }
  return (left?.length ?? 0) - (right?.length ?? 0);
}
