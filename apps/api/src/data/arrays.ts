/** Cells that are arrays: nested JSON lists or texts of numbers, as one flat list with its shape. Knows no column. */

/** Numbers of one cell in row-major order. */
export interface NumberArray {
  shape: readonly number[];
  values: ArrayLike<number>;
}

/** What a cell holds: a trimmed text, or an array. */
export type Cell = string | NumberArray;

/** Deeper lists are refused before they are walked. */
const MAX_RANK = 6;

/** Nested lists of numbers as one list, or what is wrong with them. */
export function flattenNumbers(list: readonly unknown[]): NumberArray | string {
  const shape: number[] = [];
  for (let level: unknown = list; Array.isArray(level); level = level[0]) {
    if (level.length === 0) return 'an empty list; expected at least one number';
    if (shape.push(level.length) > MAX_RANK) return `lists nested more than ${MAX_RANK} deep`;
  }
  const values: number[] = [];
  const bad = collect(list, shape, values, 0);
  return bad ?? { shape, values };
}

function collect(list: readonly unknown[], shape: readonly number[], values: number[], depth: number): string | null {
  const length = shape[depth] ?? 0;
  if (list.length !== length) return `a list of ${list.length} beside one of ${length}; expected one shape`;
  for (const item of list) {
    if (depth + 1 === shape.length) {
      if (typeof item !== 'number') return `${describe(item)} in a list; expected numbers`;
      values.push(item);
    } else {
      if (!Array.isArray(item)) return `${describe(item)} beside a list; expected one shape`;
      const bad = collect(item, shape, values, depth + 1);
      if (bad !== null) return bad;
    }
  }
  return null;
}

function describe(item: unknown): string {
  if (Array.isArray(item)) return 'a list';
  return typeof item === 'object' && item !== null ? 'an object' : (JSON.stringify(item) ?? 'nothing').slice(0, 60);
}

/** A text of numbers apart by spaces, as CSV files hold pixels and tokens; null where it is none. */
export function parseNumbers(text: string): NumberArray | null {
  const values = text.split(/\s+/).map(Number);
  return text !== '' && values.every(Number.isFinite) ? { shape: [values.length], values } : null;
}
