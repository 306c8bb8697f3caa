/** JobFailure: a run that ends for a reason its owner can act on. Knows no API; the worker carries it there. */

/** Every reason for which a run may end without a version, and what it means to its owner. */
export const FAILURES = {
  SPEC_INVALID: 'the RunSpec is not one that this trainer can read',
  DATA_MISMATCH: 'the table is not the one that the RunSpec names, or lacks what it names',
  ENGINE_UNAVAILABLE: 'the engine that was asked for is not on this machine',
  DIVERGED: 'the loss is no number any more',
  PARITY_FAILED: 'training engine and edge disagree on the held-out rows',
  API_REFUSED: 'the API refused what the trainer wrote',
  JOB_CRASHED: 'the job process ended without an outcome',
  JOB_STALLED: 'the job process reported no step for minutes',
  CANCELED: 'its owner asked for it',
} as const;
/** What programs branch on; messages are for people. */
export type FailureCode = keyof typeof FAILURES;

/** Thrown by a step of a job; the run becomes FAILED with this code and message. */
export class JobFailure extends Error {
  override readonly name = 'JobFailure';
  readonly code: FailureCode;
  constructor(code: FailureCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
