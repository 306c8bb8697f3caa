/** What a runtime is to the engines over it: a loaded model that takes plain tensors and answers plain tensors. */
import type { Feeds, Tensor as HostTensor, Outputs } from '@anneal/edge/engine';
import type { DataType, Tensor } from '../ir/types.ts';
import { EngineError } from './engine.ts';

export type { Feeds, HostTensor, Outputs };

/** A model in a runtime. */
export interface Session {
  /** Inputs by name to outputs by name. */
  run(feeds: Feeds): Promise<Outputs>;
  close(): Promise<void>;
}

type Plain<T extends HostTensor['type']> = Extract<HostTensor, { type: T }>;

/** A float32 tensor. */
export function float32(data: Float32Array, dims: readonly number[]): Plain<'float32'> {
  return { type: 'float32', dims, data };
}

/** A float32 or int32 tensor, by the array that holds it. */
export function numbers(data: Float32Array | Int32Array, dims: readonly number[]): HostTensor {
  return data instanceof Int32Array ? { type: 'int32', dims, data } : { type: 'float32', dims, data };
}

/** The values of a float32 output. @throws EngineError where it is absent or of another type */
export function floatsOf(outputs: Outputs, name: string): Float32Array {
  const tensor = outputs[name];
  if (tensor?.type === 'float32') return tensor.data;
  throw new EngineError(
    `the output "${name}" is ${tensor?.type ?? 'absent'}, expected float32: the program belongs to another engine`,
  );
}

/** Element types by their name in ONNX, as a typed array over raw bytes. */
const FROM_BYTES = {
  FLOAT: (dims: readonly number[], bytes: ArrayBuffer): Plain<'float32'> => float32(new Float32Array(bytes), dims),
  DOUBLE: (dims, bytes): Plain<'float64'> => ({ type: 'float64', dims, data: new Float64Array(bytes) }),
  INT32: (dims, bytes): Plain<'int32'> => ({ type: 'int32', dims, data: new Int32Array(bytes) }),
  INT64: (dims, bytes): Plain<'int64'> => ({ type: 'int64', dims, data: new BigInt64Array(bytes) }),
  BOOL: (dims, bytes): Plain<'bool'> => ({ type: 'bool', dims, data: new Uint8Array(bytes) }),
  UINT8: (dims, bytes): Plain<'uint8'> => ({ type: 'uint8', dims, data: new Uint8Array(bytes) }),
  INT8: (dims, bytes): Plain<'int8'> => ({ type: 'int8', dims, data: new Int8Array(bytes) }),
} as const satisfies { readonly [type in DataType]?: (dims: readonly number[], bytes: ArrayBuffer) => HostTensor };

/** ONNX's names of the runtimes' element types. */
export const DATA_TYPE_OF: Readonly<Partial<Record<HostTensor['type'], DataType>>> = {
  float32: 'FLOAT',
  float64: 'DOUBLE',
  int32: 'INT32',
  int64: 'INT64',
  bool: 'BOOL',
  uint8: 'UINT8',
  int8: 'INT8',
  string: 'STRING',
};

/** A tensor of the IR for a runtime. */
export function toHost({ name, type, dims, data }: Tensor): HostTensor {
  if (!(data instanceof Uint8Array)) return { type: 'string', dims, data: [...data] };
  const make = Object.entries(FROM_BYTES).find(([key]) => key === type)?.[1];
  if (!make) throw new EngineError(`tensor "${name}": no engine takes ${type}; cast it in the graph`);
  return make(dims, data.slice().buffer); // a copy, because a typed array needs an aligned start
}

/** A runtime's tensor for the IR. */
export function fromHost(name: string, tensor: HostTensor): Tensor {
  const { dims } = tensor;
  if (tensor.type === 'string') return { name, type: 'STRING', dims, data: tensor.data };
  const type = DATA_TYPE_OF[tensor.type];
  if (!type) throw new EngineError(`tensor "${name}": ${tensor.type} does not leave an engine; cast it in the graph`);
  const { buffer, byteOffset, byteLength } = tensor.data;
  return { name, type, dims, data: new Uint8Array(buffer, byteOffset, byteLength).slice() };
}
