/**
 * ORT_CUDA: onnxruntime-node's CUDA engine, where its files are. Its npm package does not bring them: they come from
 * NuGet when it is installed with ONNXRUNTIME_NODE_INSTALL unset, and need CUDA 12 and cuDNN 9 on the machine.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { type Engine, EngineError, type EngineOptions } from './engine.ts';
import { gpuName } from './gpu.ts';
import { ORT_VERSION, openSession, sessionOptions } from './ort-node.ts';
import { PROBE } from './probe-model.ts';
import { evaluatorOver, graphOver, HostState, trainerOver } from './programs.ts';

/** ONNX Runtime on an NVIDIA GPU. @throws EngineError where the files or the GPU are absent */
export async function ortCuda({ threads }: EngineOptions): Promise<Engine> {
  expectFiles();
  const options = sessionOptions(threads, { executionProviders: ['cuda', 'cpu'] });
  const open = (model: Uint8Array) => openSession(model, options);
  await (await open(PROBE)).close(); // loading the files is the only proof that CUDA and cuDNN fit them
  return {
    name: 'ORT_CUDA',
    device: `${gpuName() ?? 'NVIDIA GPU'} (CUDA), ${ORT_VERSION}`,
    loop: 'SCAN',
    target: 'CPU',
    hold: async (state) => new HostState(state),
    trainer: async (program) => trainerOver(await open(program.model), program),
    evaluator: async (program) => evaluatorOver(await open(program.model), program),
    graph: async (model) => graphOver(await open(model)),
  };
}

/** The runtime itself would print its error to the terminal before it throws it. */
function expectFiles(): void {
  const root = path.dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
  const file = path.join(root, 'bin/napi-v6', process.platform, process.arch, 'libonnxruntime_providers_cuda.so');
  if (process.platform === 'linux' && !existsSync(file))
    throw new EngineError(
      "the CUDA files of onnxruntime-node are not installed (run its install script with ONNXRUNTIME_NODE_INSTALL='')",
    );
}
