/**
 * One WebAssembly heap with ONNX Runtime in it, called synchronously: nothing can interleave with a run, so neither its
 * stack nor a released session can be caught half-way. (onnxruntime-web's own async wrapper leaks WASM stack when
 * runs overlap.) Knows no model by name; runs in workerd and in Node alike.
 */
import { ORT_CODE, OrtError } from './errors.ts';
import factory from './generated/ort-glue.mjs';
import type { OrtModule, OrtModuleConfig, Pointer } from './module.ts';
import { OrtSession } from './session.ts';

/** workerd's isolates have 128 MB for everything; local workerd enforces nothing, so the cap is ours. */
export const MAX_HEAP_BYTES = 96 * 2 ** 20;

const PAGE = 65_536;
const ALL_OPTIMIZATIONS = 99;
const LOG_ERRORS = 3;

/** Starts ONNX Runtime in a heap of its own. `wasm` is the compiled file that onnxruntime-web publishes. */
export async function createRuntime(wasm: WebAssembly.Module, maxHeapBytes = MAX_HEAP_BYTES): Promise<OrtRuntime> {
  let memory: WebAssembly.Memory | undefined;
  const config: OrtModuleConfig = {
    numThreads: 1,
    locateFile: (file) => file,
    print() {},
    printErr() {},
    instantiateWasm(imports, done) {
      memory = importedMemory(imports);
      watchGrowth(memory, maxHeapBytes);
      const instance = new WebAssembly.Instance(wasm, imports);
      done(instance, wasm);
      return instance.exports;
    },
  };
  const module = await factory(config);
  if (!memory) throw new Error('the glue of onnxruntime-web did not instantiate its module');
  const runtime = new OrtRuntime(module, memory);
  if (module._OrtInit(1, LOG_ERRORS) !== 0) runtime.fail('cannot start ONNX Runtime');
  return runtime;
}

function importedMemory(imports: WebAssembly.Imports): WebAssembly.Memory {
  for (const namespace of Object.values(imports))
    for (const value of Object.values(namespace)) if (value instanceof WebAssembly.Memory) return value;
  throw new Error('the WebAssembly file of onnxruntime-web imports no memory: was the package changed?');
}

/**
 * Refuses growth beyond the cap; malloc then answers 0, which is an ordinary out-of-memory error. Remembers the buffer:
 * V8 freezes that of a shared memory anew each time it is asked for, and the glue asks whenever it reads a word.
 */
function watchGrowth(memory: WebAssembly.Memory, maxHeapBytes: number): void {
  const grow = memory.grow.bind(memory);
  const read = (): ArrayBuffer => Reflect.get(WebAssembly.Memory.prototype, 'buffer', memory);
  let buffer = read();
  Object.defineProperty(memory, 'buffer', { get: () => buffer });
  Object.defineProperty(memory, 'grow', {
    value: (pages: number) => {
      if (buffer.byteLength + pages * PAGE > maxHeapBytes) throw new RangeError('the heap is at its cap');
      const before = grow(pages);
      buffer = read();
      return before;
    },
  });
}

/** ONNX Runtime in one heap. After a trap it is dead: make a new one. */
export class OrtRuntime {
  readonly module: OrtModule;
  readonly #memory: WebAssembly.Memory;
  #bytes: Uint8Array;
  #words: Int32Array;
  #floats: Float32Array;
  #doubles: Float64Array;
  #aborted = '';

  constructor(module: OrtModule, memory: WebAssembly.Memory) {
    this.module = module;
    this.#memory = memory;
    this.#bytes = new Uint8Array(memory.buffer);
    this.#words = new Int32Array(memory.buffer);
    this.#floats = new Float32Array(memory.buffer);
    this.#doubles = new Float64Array(memory.buffer);
  }

  /** The heap as bytes, 32-bit words, floats and doubles. malloc and ONNX Runtime replace them: never keep them. */
  get bytes(): Uint8Array {
    if (this.#bytes.buffer !== this.#memory.buffer) this.#look();
    return this.#bytes;
  }

  get words(): Int32Array {
    if (this.#words.buffer !== this.#memory.buffer) this.#look();
    return this.#words;
  }

  get floats(): Float32Array {
    if (this.#floats.buffer !== this.#memory.buffer) this.#look();
    return this.#floats;
  }

  get doubles(): Float64Array {
    if (this.#doubles.buffer !== this.#memory.buffer) this.#look();
    return this.#doubles;
  }

  #look(): void {
    const { buffer } = this.#memory;
    this.#bytes = new Uint8Array(buffer);
    this.#words = new Int32Array(buffer);
    this.#floats = new Float32Array(buffer);
    this.#doubles = new Float64Array(buffer);
  }

  /** Why nothing runs here any more; "" while all is well. */
  get aborted(): string {
    return this.#aborted;
  }

  get heapBytes(): number {
    return this.#memory.buffer.byteLength;
  }

  /** Loads a model. @throws OrtError with the reason of ONNX Runtime, isOutOfMemory when the heap is at its cap. */
  createSession(model: Uint8Array): OrtSession {
    return this.guard(() => {
      const m = this.module;
      const bytes = this.malloc(model.byteLength);
      let options = 0;
      try {
        m.HEAPU8.set(model, bytes);
        // Arena and memory pattern off: measured without effect on speed, and both keep memory.
        options = m._OrtCreateSessionOptions(ALL_OPTIMIZATIONS, false, false, 0, false, 0, 0, LOG_ERRORS, 0, 0);
        if (!options) this.fail('cannot make session options');
        const handle = m._OrtCreateSession(bytes, model.byteLength, options);
        if (!handle) this.fail('cannot load the model');
        return new OrtSession(this, handle);
      } finally {
        if (!this.#aborted) {
          if (options) m._OrtReleaseSessionOptions(options);
          m._free(bytes);
        }
      }
    });
  }

  /**
   * Runs `f` with the WASM stack restored after it. A trap leaves the heap in an unknown state, so it ends the runtime.
   */
  guard<T>(f: () => T): T {
    if (this.#aborted) throw new OrtError(`the runtime was aborted: ${this.#aborted}`, ORT_CODE.ABORTED);
    const stack = this.module.stackSave();
    try {
      return f();
    } catch (error) {
      // RangeError: the stack overflowed inside WebAssembly.
      if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) {
        this.#aborted = error.message;
        throw new OrtError(`the runtime was aborted: ${error.message}`, ORT_CODE.ABORTED);
      }
      // C++ exceptions arrive as the address of the exception.
      if (typeof error === 'number') throw new OrtError(`C++ exception at ${error}`, ORT_CODE.CXX_EXCEPTION);
      throw error;
    } finally {
      if (!this.#aborted) this.module.stackRestore(stack);
    }
  }

  /** Throws what ONNX Runtime reported last. */
  fail(what: string): never {
    const m = this.module;
    const out = m.stackAlloc(8);
    m._OrtGetLastError(out, out + 4);
    const message = m.getValue(out + 4, '*');
    const reason = message ? m.UTF8ToString(message) : 'no reason given';
    throw new OrtError(`${what}: ${reason}`, m.getValue(out, 'i32'));
  }

  /** Memory in the heap. @throws OrtError when the heap is at its cap. */
  malloc(bytes: number): Pointer {
    const pointer = this.module._malloc(bytes || 1);
    if (!pointer)
      throw new OrtError(`out of memory: ${bytes} bytes with a heap of ${this.heapBytes}`, ORT_CODE.OUT_OF_MEMORY);
    return pointer;
  }
}
