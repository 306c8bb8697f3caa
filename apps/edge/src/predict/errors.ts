/** What predict refuses, as a client reads it. Knows HTTP's status numbers and nothing else of HTTP. */

export type PredictErrorCode = 'UNKNOWN_COLUMN' | 'MISSING_COLUMN' | 'INVALID_VALUE' | 'NOT_FINITE';

/** An instance that cannot be answered: `field` is its place, such as instances[3].age. */
export class PredictError extends Error {
  readonly code: PredictErrorCode;
  readonly status = 422;
  readonly field: string;

  constructor(code: PredictErrorCode, field: string, message: string) {
    super(`${field}: ${message}`);
    this.name = 'PredictError';
    this.code = code;
    this.field = field;
  }
}

/** instances[3].age, or instances[3]["sepal length"] where the name is not an identifier. */
export function fieldPath(index: number, column?: string): string {
  if (column === undefined) return `instances[${index}]`;
  const plain = column.length <= 64 && /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(column);
  return `instances[${index}]${plain ? `.${column}` : `[${quote(column)}]`}`;
}

/** A value as an error message shows it: JSON, cut short. */
export function quote(value: unknown): string {
  const text = (typeof value === 'bigint' ? String(value) : JSON.stringify(value)) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
