/** ORT_CPU: onnxruntime-node on the processor, the engine that is always there and fast. */
import type { Engine, EngineOptions } from './engine.ts';
import { ORT_VERSION, openSession, sessionOptions } from './ort-node.ts';
import { evaluatorOver, graphOver, HostState, trainerOver } from './programs.ts';

/** ONNX Runtime's CPU engine with this many threads inside one operation. */
export function ortCpu({ threads }: EngineOptions): Engine {
  const open = (model: Uint8Array) => openSession(model, sessionOptions(threads));
  return {
    name: 'ORT_CPU',
    device: `CPU, ${threads} ${threads === 1 ? 'thread' : 'threads'}, ${ORT_VERSION}`,
    loop: 'SCAN',
    target: 'CPU',
    hold: async (state) => new HostState(state),
    trainer: async (program) => trainerOver(await open(program.model), program),
    evaluator: async (program) => evaluatorOver(await open(program.model), program),
    graph: async (model) => graphOver(await open(model)),
  };
}
