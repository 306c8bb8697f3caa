/**
 * onnxruntime-node's sessions as the engines over it use them. `run` blocks the thread until it is done (the binding is
 * synchronous): call it from a process whose event loop may wait, with chunks as short as pace.ts makes them.
 */
import type { InferenceSession } from 'onnxruntime-node';
import * as ort from 'onnxruntime-node';
import { EngineError } from './engine.ts';
import type { Feeds, HostTensor, Outputs, Session } from './session.ts';

/** The version of the library, for people. */
export const ORT_VERSION = `ONNX Runtime ${ort.env.versions.node ?? ''}`.trim();

/** Settings of every session; `more` goes on top. */
export function sessionOptions(
  threads: number,
  more: InferenceSession.SessionOptions = {},
): InferenceSession.SessionOptions {
  return {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential', // 'parallel' was 30x slower on small networks
    logSeverityLevel: 3,
    ...more,
    extra: {
      session: {
        intra_op: { allow_spinning: '0' }, // spinning threads halve the speed of a machine that is shared
        set_denormal_as_zero: '1', // moments that fade to denormals would slow down late training
        strict_shape_type_inference: '1', // without it wrong declared shapes go unnoticed
      },
      // The fused kernel takes four times as long as Add and LayerNormalization (measured: 12 % of an evaluation).
      optimization: { disable_specified_optimizers: 'SkipLayerNormFusion' },
      ...more.extra,
    },
  };
}

/** Loads a model. @throws EngineError with the runtime's reason */
export async function openSession(model: Uint8Array, options: InferenceSession.SessionOptions): Promise<Session> {
  const session = await ort.InferenceSession.create(model, options);
  return {
    async run(feeds) {
      return toHostAll(await session.run(toOrtAll(feeds)));
    },
    close: () => session.release(),
  };
}

/** Plain tensors for the runtime. */
export function toOrtAll(feeds: Feeds): Record<string, ort.Tensor> {
  return Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, toOrt(tensor)]));
}

/** One plain tensor for the runtime; the array is shared, not copied. */
export function toOrt(tensor: HostTensor): ort.Tensor {
  return tensor.type === 'string'
    ? new ort.Tensor('string', tensor.data, tensor.dims)
    : new ort.Tensor(tensor.type, tensor.data, tensor.dims);
}

function toHostAll(results: InferenceSession.OnnxValueMapType): Outputs {
  return Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, toHost(name, tensor)]));
}

/** The element types that leave the runtime, by the array that must hold them. */
const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
  uint8: Uint8Array,
  int8: Int8Array,
} as const;

function toHost(name: string, { type, dims, data }: ort.Tensor): HostTensor {
  if (type === 'string' && Array.isArray(data)) return { type, dims, data: data.map(String) };
  if (type in ARRAYS && data instanceof ARRAYS[type as keyof typeof ARRAYS]) return { type, dims, data } as HostTensor;
  throw new EngineError(`output "${name}": ${type} is not carried; cast it in the graph`);
}
