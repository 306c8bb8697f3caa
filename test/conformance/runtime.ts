/** ONNX Runtime as the judge of our codec: loads bytes, takes and gives our tensors. Knows the runtime's gaps. */
import * as ort from 'onnxruntime-node';
import type { DataType, Model, Tensor, ValueInfo } from '../../apps/trainer/src/ir/types.ts';

/**
 * Element types that cross the border to the runtime. Missing: those that JavaScript has no array for, and FLOAT16,
 * which the binding takes as an empty array on Node 24.
 */
const ARRAYS = {
  FLOAT: { name: 'float32', of: Float32Array },
  DOUBLE: { name: 'float64', of: Float64Array },
  INT64: { name: 'int64', of: BigInt64Array },
  UINT64: { name: 'uint64', of: BigUint64Array },
  INT32: { name: 'int32', of: Int32Array },
  UINT32: { name: 'uint32', of: Uint32Array },
  INT16: { name: 'int16', of: Int16Array },
  UINT16: { name: 'uint16', of: Uint16Array },
  INT8: { name: 'int8', of: Int8Array },
  UINT8: { name: 'uint8', of: Uint8Array },
  BOOL: { name: 'bool', of: Uint8Array },
} as const satisfies { readonly [type in DataType]?: unknown };

/** Whether values of this type can be given to and taken from the runtime. */
export function crosses({ type }: ValueInfo): boolean {
  return type?.kind === 'TENSOR' && type.type !== null && (type.type in ARRAYS || type.type === 'STRING');
}

/** A model in the runtime. */
export interface Loaded {
  run(inputs: ReadonlyMap<string, Tensor>, outputs: readonly string[]): Promise<ReadonlyMap<string, Tensor>>;
  close(): Promise<void>;
}

/** Loads a model; undefined if the runtime refuses it. */
export async function load(bytes: Uint8Array): Promise<Loaded | undefined> {
  const session = await ort.InferenceSession.create(bytes, { intraOpNumThreads: 1, logSeverityLevel: 4 }).catch(
    () => undefined,
  );
  if (!session) return undefined;
  return {
    async run(inputs, outputs) {
      const feeds = Object.fromEntries([...inputs].map(([name, tensor]) => [name, toOrt(tensor)]));
      const results = await session.run(feeds, [...outputs]);
      return new Map(outputs.map((name) => [name, fromOrt(name, results[name])]));
    },
    close: () => session.release(),
  };
}

function toOrt({ type, dims, data }: Tensor): ort.Tensor {
  if (!(data instanceof Uint8Array)) return new ort.Tensor('string', [...data], dims);
  const array = ARRAYS[type as keyof typeof ARRAYS];
  return new ort.Tensor(array.name, new array.of(data.slice().buffer), dims);
}

function fromOrt(name: string, value: ort.Tensor | undefined): Tensor {
  if (!value) throw new Error(`the runtime gave no "${name}"`);
  const { type, dims, data } = value;
  if (Array.isArray(data)) return { name, type: 'STRING', dims, data: data.map(String) };
  const ours = (Object.keys(ARRAYS) as (keyof typeof ARRAYS)[]).find((key) => ARRAYS[key].name === type);
  if (!ours || !ArrayBuffer.isView(data)) throw new Error(`the runtime gave "${name}" as ${type}`);
  return { name, type: ours, dims, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice() };
}

/**
 * The model with what does not cross moved inside: such inputs become initializers, such outputs are cast to FLOAT.
 * Undefined if that is not possible because a value is no tensor.
 */
export function crossable(model: Model, inputs: ReadonlyMap<string, Tensor>): Model | undefined {
  const { graph } = model;
  if ([...graph.inputs, ...graph.outputs].some(({ type }) => type?.kind !== 'TENSOR')) return undefined;
  const within = graph.inputs.filter((value) => !crosses(value));
  const cast = graph.outputs.filter((value) => !crosses(value));
  const castName = (name: string) => `${name} as FLOAT`;
  return {
    ...model,
    graph: {
      ...graph,
      inputs: graph.inputs.filter(crosses),
      initializers: [...graph.initializers, ...within.flatMap(({ name }) => inputs.get(name) ?? [])],
      nodes: [
        ...graph.nodes,
        ...cast.map(({ name }) => ({
          name: '',
          type: 'Cast',
          domain: '',
          inputs: [name],
          outputs: [castName(name)],
          attributes: new Map([['to', { type: 'INT', value: 1n } as const]]),
        })),
      ],
      outputs: graph.outputs.map((value) =>
        crosses(value)
          ? value
          : { name: castName(value.name), type: { kind: 'TENSOR', type: 'FLOAT', shape: null } as const },
      ),
    },
  };
}
