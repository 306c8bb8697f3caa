/** The door @anneal/edge/engine: ONNX Runtime in WebAssembly, in workerd and in Node. */
export { isOutOfMemory, ORT_CODE, OrtError } from './errors.ts';
export { EDGE_BUILD, WASM_DIGEST } from './generated/build.ts';
export { createRuntime, MAX_HEAP_BYTES, type OrtRuntime } from './runtime.ts';
export type { OrtSession, ValueInfo } from './session.ts';
export {
  createSessionCache,
  type Pin,
  SESSION_BUDGET_BYTES,
  type SessionCache,
  type SessionCacheState,
} from './session-cache.ts';
export type { Feeds, Outputs, Tensor, TensorData, TensorType } from './tensor.ts';
