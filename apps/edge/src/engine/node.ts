/**
 * The door @anneal/edge/engine/node: the edge's runtime inside Node, for evaluation and tests. Not part of the Worker.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { WASM_DIGEST } from './generated/build.ts';
import { createRuntime, type OrtRuntime } from './runtime.ts';

let compiled: Promise<WebAssembly.Module> | undefined;

/** A runtime with the very WebAssembly bytes that serve at the edge; compiled once per process. */
export async function nodeRuntime(maxHeapBytes?: number): Promise<OrtRuntime> {
  compiled ??= compile();
  return createRuntime(await compiled, maxHeapBytes);
}

async function compile(): Promise<WebAssembly.Module> {
  const file = createRequire(import.meta.url).resolve('onnxruntime-web/ort-wasm-simd-threaded.wasm');
  const bytes = await readFile(file);
  const digest = createHash('sha256').update(bytes).digest('hex');
  if (digest !== WASM_DIGEST)
    throw new Error(`${file} has sha256 ${digest}, the edge was built with ${WASM_DIGEST}: run build-glue.mjs`);
  return WebAssembly.compile(bytes);
}
