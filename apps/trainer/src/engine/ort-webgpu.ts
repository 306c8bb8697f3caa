/**
 * ORT_WEBGPU: the WebGPU engine inside onnxruntime-node, over Vulkan, Metal or Direct3D 12. Between steps the state
 * stays on the device: only batches go there and only losses come back. One process holds one device, and a crash of
 * its driver ends the process: a job has one of its own.
 */
import * as ort from 'onnxruntime-node';
import type { TrainingProgram } from '../autodiff/compile.ts';
import type { State } from '../optim/state.ts';
import { expectState, stepsOf } from './chunk.ts';
import { type Engine, EngineError, type EngineOptions, type HeldState, type Trainer } from './engine.ts';
import { gpuName, softwareDriver } from './gpu.ts';
import { ORT_VERSION, openSession, sessionOptions, toOrt, toOrtAll } from './ort-node.ts';
import { PROBE } from './probe-model.ts';
import { evaluatorOver, graphOver, stepFeeds, vectorsOf } from './programs.ts';
import { repaired } from './webgpu-repair.ts';

type Vector = Exclude<keyof State, 'step'>;

/** ONNX Runtime on a GPU by WebGPU. `cpuFallback` false refuses a model of which a node would run on the CPU. */
export async function ortWebgpu(
  { threads }: EngineOptions,
  { cpuFallback = true }: { cpuFallback?: boolean } = {},
): Promise<Engine> {
  const base = sessionOptions(threads, { executionProviders: ['webgpu'] });
  const strict = { ...base, extra: { session: { disable_cpu_ep_fallback: '1', strict_shape_type_inference: '1' } } };
  const options = cpuFallback ? base : strict;
  const reader = await startDevice(strict);
  const device = softwareDriver() ?? gpuName() ?? 'GPU';
  return {
    name: 'ORT_WEBGPU',
    device: `${device} (WebGPU), ${ORT_VERSION}`,
    loop: 'SINGLE',
    target: 'WEBGPU',
    hold: async (state) => new DeviceState(state, reader),
    trainer: (program) => trainer(program, options, reader),
    evaluator: async (program) => evaluatorOver(await openSession(repaired(program.model), options), program),
    // Raw columns are strings and doubles, which only the CPU has.
    graph: async (model) => graphOver(await openSession(repaired(model), base)),
  };
}

/** The session that copies tensors out of the device: their own getData() aborts the process. */
async function startDevice(options: ort.InferenceSession.SessionOptions): Promise<ort.InferenceSession> {
  try {
    const reader = await ort.InferenceSession.create(PROBE, { ...options, logSeverityLevel: 4 });
    await reader.run({ x: toOrt({ type: 'float32', dims: [1], data: Float32Array.of(1) }) });
    return reader;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new EngineError(`no WebGPU adapter (${/Failed to get .*/.exec(reason)?.[0] ?? reason})`, { cause: error });
  }
}

/** A state on the device. */
class DeviceState implements HeldState {
  /** Starts as arrays; every step replaces them by tensors of the device. */
  vectors: Partial<Record<Vector, ort.Tensor>>;
  steps: number;
  readonly #from: State;
  readonly #reader: ort.InferenceSession;

  constructor(state: State, reader: ort.InferenceSession) {
    this.#from = state;
    this.#reader = reader;
    this.steps = state.step;
    this.vectors = {};
  }

  static of(held: HeldState): DeviceState {
    if (held instanceof DeviceState) return held;
    throw new EngineError('the state is held by another engine; read() it there and hold() it here');
  }

  /** Checked against the first program that steps on it. */
  get from(): State {
    return this.#from;
  }

  async read(): Promise<State> {
    const arrays: Partial<Record<Vector, Float32Array>> = {};
    for (const name of ['params', 'buffers', 'm', 'v', 'ema'] as const) {
      const tensor = this.vectors[name];
      if (!tensor) continue;
      const { y } = await this.#reader.run({ x: tensor });
      if (!(y?.data instanceof Float32Array)) throw new EngineError(`the device did not give ${name} back`);
      arrays[name] = y.data;
    }
    return { ...this.#from, ...arrays, step: this.steps };
  }

  async close(): Promise<void> {
    for (const tensor of Object.values(this.vectors)) tensor.dispose();
    this.vectors = {};
  }
}

async function trainer(
  program: TrainingProgram,
  options: ort.InferenceSession.SessionOptions,
  reader: ort.InferenceSession,
): Promise<Trainer> {
  if (program.loop !== 'SINGLE')
    throw new EngineError('ORT_WEBGPU runs one step per call: compile the training with loop SINGLE');
  const names = vectorsOf(program);
  const kept = Object.fromEntries(names.map((name) => [`${name}'`, 'gpu-buffer' as const]));
  const session = await ort.InferenceSession.create(repaired(program.model), {
    ...options,
    preferredOutputLocation: { ...kept, "step'": 'cpu', losses: 'cpu' },
  });
  const step: Trainer['step'] = async (held, chunk) => {
    const device = DeviceState.of(held);
    const steps = stepsOf(program, chunk);
    if (!device.vectors.params) expectState(program, device.from);
    const losses = new Float32Array(steps);
    for (let at = 0; at < steps; at++) losses[at] = await stepOnce(device, { session, program, names }, { chunk, at });
    return losses;
  };
  return {
    step,
    async run(state, chunk) {
      const held = new DeviceState(state, reader);
      const losses = await step(held, chunk);
      const after = await held.read();
      await held.close();
      return { state: after, losses };
    },
    close: () => session.release(),
  };
}

async function stepOnce(
  device: DeviceState,
  loaded: { session: ort.InferenceSession; program: TrainingProgram; names: readonly Vector[] },
  { chunk, at }: { chunk: Parameters<Trainer['step']>[1]; at: number },
): Promise<number> {
  const { session, program, names } = loaded;
  const { from, vectors } = device;
  const state = names.map((name) => {
    const first = () => toOrt({ type: 'float32', dims: [from[name].length], data: from[name] });
    return [name, vectors[name] ?? first()] as const;
  });
  const counter = toOrt({ type: 'int32', dims: [1], data: Int32Array.of(device.steps) });
  const feeds = { ...Object.fromEntries(state), step: counter, ...toOrtAll(stepFeeds(program, chunk, at)) };
  const results = await session.run(feeds);
  for (const name of names) {
    vectors[name]?.dispose(); // device memory is not collected as garbage
    vectors[name] = results[`${name}'`];
  }
  device.steps++;
  const loss = results.losses?.data[0];
  return typeof loss === 'number' ? loss : Number.NaN;
}
