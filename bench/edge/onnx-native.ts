/** onnxruntime-node as this bench uses it: one thread, so that it compares with one thread of workerd. */
import { createRequire } from 'node:module';

export interface NativeTensor {
  dims: readonly number[];
  data: unknown;
}
interface NativeSession {
  inputNames: readonly string[];
  run(feeds: Record<string, NativeTensor>): Promise<Record<string, NativeTensor>>;
}
interface Native {
  InferenceSession: { create(model: Uint8Array, options: object): Promise<NativeSession> };
  Tensor: new (type: string, data: unknown, dims: readonly number[]) => NativeTensor;
}

/** A session over a model's bytes. `name` is the package: both have the same interface. */
export async function loadNative(model: Uint8Array, name: 'onnxruntime-node' | 'onnxruntime-web' = 'onnxruntime-node') {
  const { InferenceSession, Tensor }: Native = createRequire(import.meta.url)(name);
  const options = {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionProviders: [name.endsWith('web') ? 'wasm' : 'cpu'],
  };
  return { session: await InferenceSession.create(model, options), Tensor };
}
