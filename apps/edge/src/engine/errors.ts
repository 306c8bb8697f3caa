/** What the engine throws. Knows nothing of HTTP. */

/** ORT's own status codes are positive (include/onnxruntime/core/session/onnxruntime_c_api.h); ours are negative. */
export const ORT_CODE = {
  INVALID_ARGUMENT: 2,
  /** ORT's own 6 is any exception, std::bad_alloc among them. */
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

/**
 * True when releasing other sessions and trying again may help. By the text: ONNX Runtime has no code of its own for a
 * full heap, its 6 is any exception, and an input that a model cannot work with must not cost the others their place.
 */
export function isOutOfMemory(error: unknown): boolean {
  return error instanceof OrtError && /bad_alloc|out of memory|failed to allocate/i.test(error.message);
}
