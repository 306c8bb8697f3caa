/**
 * ORT_WASM: onnxruntime-web in a WebAssembly heap, the very bytes that serve at the edge. No native code at all: it
 * runs wherever Node does, on one thread.
 */
import { OrtError, type OrtRuntime } from '@anneal/edge/engine';
import { nodeRuntime } from '@anneal/edge/engine/node';
import { type Engine, EngineError } from './engine.ts';
import { evaluatorOver, graphOver, HostState, trainerOver } from './programs.ts';
import type { Session } from './session.ts';

/** All that 32-bit addresses reach: training needs more than the 96 MiB that an edge isolate may have. */
const MAX_HEAP_BYTES = 2 ** 32;

/** ONNX Runtime in WebAssembly; one heap for all that this engine loads. */
export async function ortWasm(): Promise<Engine> {
  const runtime = await nodeRuntime(MAX_HEAP_BYTES);
  const open = (model: Uint8Array) => openSession(runtime, model);
  return {
    name: 'ORT_WASM',
    device: 'CPU, 1 thread, ONNX Runtime Web (WebAssembly SIMD)',
    loop: 'SCAN',
    target: 'CPU',
    hold: async (state) => new HostState(state),
    trainer: async (program) => trainerOver(open(program.model), program),
    evaluator: async (program) => evaluatorOver(open(program.model), program),
    graph: async (model) => graphOver(open(model)),
  };
}

function openSession(runtime: OrtRuntime, model: Uint8Array): Session {
  const session = reasoned(() => runtime.createSession(model));
  return {
    run: async (feeds) => reasoned(() => session.run(feeds)),
    close: async () => session.release(),
  };
}

/** The runtime's errors in the words of this room. */
function reasoned<T>(f: () => T): T {
  try {
    return f();
  } catch (error) {
    if (error instanceof OrtError) throw new EngineError(`ORT_WASM: ${error.message}`, { cause: error });
    throw error;
  }
}
