/** What cannot be evaluated, as one typed error. */

export type EvaluationErrorCode =
  | 'THRESHOLD_NOT_BINARY'
  | 'BAD_THRESHOLD'
  | 'CLASSES_DIFFER'
  | 'ROWS_DIFFER'
  | 'LENGTHS_DIFFER'
  | 'NOT_A_CLASS_INDEX'
  | 'NOT_A_NUMBER';

/** Predictions, truth and question do not fit each other; no metric is made of them. */
export class EvaluationError extends Error {
  override readonly name = 'EvaluationError';
  readonly code: EvaluationErrorCode;

  constructor(code: EvaluationErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
