/** What predict refuses, as a client reads it. Knows HTTP's status numbers and nothing else of HTTP. */

export type PredictErrorCode =
  | 'UNKNOWN_COLUMN'
  | 'MISSING_COLUMN'
  | 'INVALID_VALUE'
  | 'NOT_FINITE'
  | 'TEXT_TOO_LONG'
  | 'COMPUTE_BUDGET';

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

/** What is shown of a value: characters, and members of an array or object and how deep. */
const SHOWN_LENGTH = 60;
const SHOWN_MEMBERS = 16;
const SHOWN_DEPTH = 4;

/** A value as an error message shows it: JSON, cut short. However large or deep it is, little of it is looked at. */
export function quote(value: unknown): string {
  const text = shown(value, SHOWN_DEPTH);
  return text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH - 3)}...` : text;
}

function shown(value: unknown, depth: number): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, SHOWN_LENGTH));
  if (typeof value !== 'object' || value === null) return String(value);
  const list = Array.isArray(value);
  if (depth === 0) return list ? '[...]' : '{...}';
  const names = list ? [...value.slice(0, SHOWN_MEMBERS).keys()] : Object.keys(value).slice(0, SHOWN_MEMBERS);
  const members = names.map((name) => {
    const member = shown(Reflect.get(value, name), depth - 1);
    return list ? member : `${shown(name, 0)}:${member}`;
  });
  return list ? `[${members}]` : `{${members}}`;
}
