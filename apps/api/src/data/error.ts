/** What a person can do wrong with a data set, as one typed error. Knows no reader and no API. */

/** Every reason for which a data set is refused; stable, part of the public API as userErrors.code. */
export type DataErrorCode =
  | 'EMPTY_FILE'
  | 'BAD_GZIP'
  | 'BAD_ENCODING'
  | 'BAD_QUOTES'
  | 'BAD_ROW'
  | 'BAD_VALUE'
  | 'BAD_HEADER'
  | 'HEADER_DIFFERS'
  | 'TOO_LARGE'
  | 'TARGET_NOT_FOUND'
  | 'BAD_TARGET'
  | 'COLUMN_NOT_FOUND'
  | 'BAD_COLUMNS'
  | 'NOT_A_NUMBER'
  | 'NO_FEATURES'
  | 'ONE_CLASS'
  | 'TOO_MANY_CLASSES'
  | 'BAD_SPLIT'
  | 'SPLIT_TOO_SMALL';

/**
 * A refusal that the person who sent the file or the input can act on. `field` is the path in the input, if one is to
 * blame.
 */
export class DataError extends Error {
  override readonly name = 'DataError';
  readonly code: DataErrorCode;
  readonly field: string[] | null;
  readonly details: Record<string, unknown>;

  constructor(
    code: DataErrorCode,
    message: string,
    more: { field?: string[] | null; details?: Record<string, unknown> } = {},
  ) {
    super(message);
    this.code = code;
    this.field = more.field ?? null;
    this.details = more.details ?? {};
  }
}

/** Something worth knowing that did not stop the commit; stored with the dataset version. */
export interface Finding {
  code: FindingCode;
  severity: 'WARNING' | 'NOTE';
  message: string;
  column: string | null;
  count: number | null;
}

export type FindingCode =
  | 'ALL_MISSING'
  | 'CONSTANT_COLUMN'
  | 'DUPLICATES_ACROSS_SPLITS'
  | 'DUPLICATE_ROWS'
  | 'EQUAL_LABELS'
  | 'HEADER_REPAIRED'
  | 'IDENTIFIER'
  | 'NO_USABLE_FEATURES'
  | 'QUOTES_LITERAL'
  | 'RARE_CLASS'
  | 'TARGET_MISSING'
  | 'TEXT_LEFT_OUT';
