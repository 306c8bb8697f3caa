/** JobFailure: a run that ends for a reason its owner can act on. Knows no API; the worker carries it there. */

/** Every reason for which a run may end without a version, and what it means to its owner. */
export const FAILURES = {
  SPEC_INVALID: 'the RunSpec is not one that this trainer can read',
  DATA_MISMATCH: 'the table is not the one that the RunSpec names, or lacks what it names',
  ENGINE_UNAVAILABLE: 'the engine that was asked for is not on this machine',
  DIVERGED: 'the loss is no number any more',
  OUT_OF_MEMORY: 'the machine has less memory than the run needs',
  ONNX_INVALID: 'the file is not a valid ONNX model',
  EXTERNAL_DATA: 'the ONNX file keeps weights in other files',
  CUSTOM_DOMAIN: 'the ONNX file uses operators that only its maker has',
  OPERATOR_UNSUPPORTED: 'the edge has no such operator, or not in that version',
  OPSET_UNSUPPORTED: 'the edge does not know that version of the operators, and it could not be converted',
  TYPE_UNSUPPORTED: 'an input or output of the model is no tensor of a type that the edge carries',
  TOO_LARGE_FOR_EDGE: 'the model takes more memory than the edge has',
  MODEL_DOES_NOT_RUN: 'the edge could not load or run the model',
  SIGNATURE_DIFFERS: 'the model has other inputs or outputs than were declared',
  LABELS_DIFFER: 'the model has a number of classes, or classes, other than those declared',
  COLUMNS_DIFFER: 'the columns do not fit the input of the model',
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

/** Thrown where a search has ended its trial: the API has written so already, nobody needs to be told. */
export class StoppedEarly extends Error {
  override readonly name = 'StoppedEarly';
}

/** How V8, the C++ runtime and ONNX Runtime say that an allocation failed. */
const ALLOCATION_FAILED = /^.*(?:bad_alloc|Failed to allocate|allocation failed|out of memory|ENOMEM).*$/im;

/** The line of an error, or of a process's last words, that tells of memory that was not there; undefined if none. */
export function toldOfMemory(text: string): string | undefined {
  return ALLOCATION_FAILED.exec(text)?.[0].trim().slice(0, 300);
}

/** The failure with what an owner can do about it; `problem` says what happened. */
export function outOfMemory(problem: string, kind: 'TRAIN' | 'IMPORT'): { code: FailureCode; message: string } {
  if (kind === 'IMPORT') {
    const advice = 'Import a smaller model, or give the trainer more memory.';
    return { code: 'OUT_OF_MEMORY', message: `The model did not fit into memory: ${problem}. ${advice}` };
  }
  const advice = 'Choose a smaller hyperparameters.batchSize or a smaller network, or give the trainer more memory.';
  return { code: 'OUT_OF_MEMORY', message: `The training did not fit into memory: ${problem}. ${advice}` };
}
