/**
 * onnxruntime-node on the CPU. The only file that knows this runtime. `run` blocks the thread until it is done (the
 * binding is synchronous): call it from a process whose event loop may wait, with chunks as short as pace.ts makes
 * them.
 */
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import * as ort from 'onnxruntime-node';
import type { TrainingProgram } from '../autodiff/compile.ts';
import type { DataType, Tensor } from '../ir/types.ts';
import type { Slot } from '../optim/optimizer.ts';
import type { EvaluationProgram } from '../zoo/inference.ts';
import { expectLength, expectState, learningRatesOf, stepsOf } from './chunk.ts';
import { type Engine, EngineError, type Evaluator, type LoadedGraph, type Trainer } from './engine.ts';

/** Rows per evaluation call: constant, because the kernels' rounding may depend on the number of rows. */
const EVALUATION_ROWS = 4096;

/** ONNX Runtime's CPU engine with this many threads inside one operation. */
export function ortCpu({ threads }: { threads: number }): Engine {
  const open = (model: Uint8Array) => ort.InferenceSession.create(model, sessionOptions(threads));
  return {
    name: 'ORT_CPU',
    device:
      `CPU, ${threads} ${threads === 1 ? 'thread' : 'threads'}, ONNX Runtime ${ort.env.versions.node ?? ''}`.trim(),
    trainer: async (program) => trainer(await open(program.model), program),
    evaluator: async (program) => evaluator(await open(program.model), program),
    graph: async (model) => loadedGraph(await open(model)),
  };
}

function sessionOptions(threads: number): InferenceSession.SessionOptions {
  return {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential', // 'parallel' was 30x slower on small networks
    logSeverityLevel: 3,
    extra: {
      session: {
        intra_op: { allow_spinning: '0' }, // spinning threads halve the speed of a machine that is shared
        set_denormal_as_zero: '1', // moments that fade to denormals would slow down late training
        strict_shape_type_inference: '1', // without it wrong declared shapes go unnoticed
      },
    },
  };
}

function trainer(session: InferenceSession, program: TrainingProgram): Trainer {
  const { batchSize, network, slots } = program;
  const vector = [network.parameterCount];
  return {
    async run(state, chunk) {
      expectState(program, state);
      const steps = stepsOf(program, chunk);
      const results = await session.run({
        params: new ort.Tensor(state.params, vector),
        ...Object.fromEntries(slots.map((slot) => [slot, new ort.Tensor(state[slot], vector)])),
        step: new ort.Tensor(Int32Array.of(state.step), [1]),
        x: new ort.Tensor(chunk.x, [steps, batchSize, network.inputs]),
        y: new ort.Tensor(chunk.y, [steps, batchSize]),
        weight: new ort.Tensor(chunk.weight, [steps, batchSize]),
        learningRate: new ort.Tensor(learningRatesOf(chunk, steps), [steps]),
      });
      const slot = (name: Slot) => (slots.includes(name) ? floats(results, `${name}'`) : state[name]);
      return {
        state: { params: floats(results, "params'"), m: slot('m'), v: slot('v'), step: state.step + steps },
        losses: floats(results, 'losses'),
      };
    },
    close: () => session.release(),
  };
}

function evaluator(session: InferenceSession, { network }: EvaluationProgram): Evaluator {
  return {
    async run(params, x) {
      expectLength('params', params, network.parameterCount);
      const rows = x.length / network.inputs;
      if (!Number.isInteger(rows))
        throw new EngineError(`x has ${x.length} values; expected a multiple of ${network.inputs} features`);
      const weights = new ort.Tensor(params, [network.parameterCount]);
      const parts: { logits: Float32Array; output: Float32Array }[] = [];
      for (let start = 0; start < rows; start += EVALUATION_ROWS) {
        const count = Math.min(EVALUATION_ROWS, rows - start);
        const part = x.subarray(start * network.inputs, (start + count) * network.inputs);
        const results = await session.run({ params: weights, x: new ort.Tensor(part, [count, network.inputs]) });
        parts.push({ logits: floats(results, 'logits'), output: floats(results, 'output') });
      }
      return { logits: join(parts.map((part) => part.logits)), output: join(parts.map((part) => part.output)) };
    },
    close: () => session.release(),
  };
}

function loadedGraph(session: InferenceSession): LoadedGraph {
  return {
    async run(inputs) {
      const results = await session.run(Object.fromEntries(inputs.map((tensor) => [tensor.name, toOrt(tensor)])));
      return new Map(Object.entries(results).map(([name, tensor]) => [name, fromOrt(name, tensor)]));
    },
    close: () => session.release(),
  };
}

function floats(results: InferenceSession.OnnxValueMapType, name: string): Float32Array {
  const data = results[name]?.data;
  if (data instanceof Float32Array) return data;
  throw new EngineError(`the output "${name}" is not a float32 tensor; the program does not belong to this engine`);
}

function join(parts: readonly Float32Array[]): Float32Array {
  const joined = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** The element types that cross this border, as a typed array over raw bytes. */
const VIEWS = {
  FLOAT: { type: 'float32', of: Float32Array },
  DOUBLE: { type: 'float64', of: Float64Array },
  INT32: { type: 'int32', of: Int32Array },
  INT64: { type: 'int64', of: BigInt64Array },
  BOOL: { type: 'bool', of: Uint8Array },
  UINT8: { type: 'uint8', of: Uint8Array },
} as const satisfies { readonly [type in DataType]?: unknown };

function toOrt({ name, type, dims, data }: Tensor): OrtTensor {
  if (!(data instanceof Uint8Array)) return new ort.Tensor('string', [...data], dims);
  if (!(type in VIEWS)) throw new EngineError(`input "${name}": ${type} is not supported here`);
  const view = VIEWS[type as keyof typeof VIEWS];
  const { buffer } = data.slice(); // a typed array needs an aligned start
  return new ort.Tensor(view.type, new view.of(buffer), dims);
}

function fromOrt(name: string, { type, dims, data }: OrtTensor): Tensor {
  if (type === 'string' && Array.isArray(data)) return { name, type: 'STRING', dims, data: data.map(String) };
  const dataType = (Object.keys(VIEWS) as (keyof typeof VIEWS)[]).find((key) => VIEWS[key].type === type);
  if (!dataType || !ArrayBuffer.isView(data)) throw new EngineError(`output "${name}": ${type} is not supported here`);
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  return { name, type: dataType, dims, data: bytes };
}
