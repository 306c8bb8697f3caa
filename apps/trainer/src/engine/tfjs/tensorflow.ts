/**
 * Where TensorFlow.js comes from: the native package for NVIDIA GPUs where it is installed, else the one in plain
 * JavaScript. Both are optional; the first cannot be built on most machines and must not be needed by any.
 */
import { createRequire } from 'node:module';
import type * as TensorFlow from '@tensorflow/tfjs';
import { EngineError } from '../engine.ts';

/** The library, whichever package it came from. */
export type Tf = typeof TensorFlow;
/** One of its tensors. */
export type Tensor = TensorFlow.Tensor;

const NATIVE = '@tensorflow/tfjs-node-gpu';

/** What the native package's backend tells of itself. */
interface NativeBackend {
  readonly isUsingGpuDevice?: boolean;
}

/** The library, ready to compute, and what it computes on. @throws EngineError where neither package is installed */
export async function loadTensorFlow(): Promise<{ tf: Tf; device: string }> {
  const native = await importNative();
  if (native) {
    // It falls back to the processor without a word when it finds no CUDA of its age.
    const gpu = (native.backend() as NativeBackend).isUsingGpuDevice === true;
    return { tf: native, device: `${gpu ? 'NVIDIA GPU' : 'CPU'}, TensorFlow ${native.version.tfjs} (native)` };
  }
  const tf = await importPlain();
  await tf.setBackend('cpu');
  await tf.ready();
  return { tf, device: `CPU, 1 thread, TensorFlow.js ${tf.version.tfjs} (JavaScript)` };
}

async function importNative(): Promise<Tf | null> {
  restoreIsNullOrUndefined();
  try {
    return (await import(NATIVE)) as Tf;
  } catch {
    return null; // absent, or installed without its addon: then it is not usable either
  }
}

/** Node 23 removed a function that the native package's newest release (4.22) calls in most operations. */
function restoreIsNullOrUndefined(): void {
  const util = createRequire(import.meta.url)('node:util') as Record<string, unknown>;
  util.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
}

async function importPlain(): Promise<Tf> {
  try {
    const plain = '@tensorflow/tfjs'; // not a literal, so that nothing needs it to be installed
    const { default: tf } = (await import(plain)) as { default: Tf };
    return tf;
  } catch (error) {
    throw new EngineError(`neither ${NATIVE} nor @tensorflow/tfjs is installed`, { cause: error });
  }
}
