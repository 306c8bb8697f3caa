/** What the engine throws. Knows nothing of HTTP. */

/** ORT's own status codes are positive (include/onnxruntime/core/session/onnxruntime_c_api.h); ours are negative. */
export const ORT_CODE = {
  INVALID_ARGUMENT: 2,
  /** Also what ORT answers for std::bad_alloc. */
  OUT_OF_MEMORY: 6,
  /** The heap was left in an unknown state by a trap: this runtime answers nothing any more. */
  ABORTED: -1,
  CXX_EXCEPTION: -2,
  RELEASED: -3,
} as const;

/** A refusal by ONNX Runtime or by its binding; `code` is one of ORT_CODE or another status of ORT. */
export class OrtError extends Error {
  readonly code: number;

  constructor(message: string, code: number) {
    super(message);
    this.name = 'OrtError';
    this.code = code;
  }
}

/** True when releasing other sessions and trying again may help. */
export function isOutOfMemory(error: unknown): boolean {
  return (
    error instanceof OrtError &&
    (error.code === ORT_CODE.OUT_OF_MEMORY || /bad_alloc|out of memory/i.test(error.message))
  );
}
