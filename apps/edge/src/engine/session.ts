/** A loaded model: names, types and shapes of what goes in and out, and a synchronous run. */
import { ORT_CODE, OrtError } from './errors.ts';
import type { Pointer } from './module.ts';
import type { OrtRuntime } from './runtime.ts';
import type { Feeds, Outputs, Tensor } from './tensor.ts';
import { copyTensor, elementCount, TYPE_CODE, typeName } from './tensor.ts';

/** An input or output of a graph; a symbolic dimension is its name. */
export interface ValueInfo {
  name: string;
  type: string;
  shape: (number | string)[];
}

const POINTER = 4;
const STRING = TYPE_CODE.string;
const ON_CPU = 1;

/** A model in the heap of a runtime. Made by OrtRuntime.createSession. */
export class OrtSession {
  readonly runtime: OrtRuntime;
  readonly inputs: ValueInfo[] = [];
  readonly outputs: ValueInfo[] = [];
  readonly #handle: Pointer;
  /** C strings of ORT, inputs first: they are passed back to every run. */
  readonly #names: Pointer[] = [];
  #released = false;

  constructor(runtime: OrtRuntime, handle: Pointer) {
    this.runtime = runtime;
    this.#handle = handle;
    const m = runtime.module;
    const out = m.stackAlloc(2 * POINTER);
    if (m._OrtGetInputOutputCount(handle, out, out + POINTER)) runtime.fail('cannot count inputs');
    const inputs = m.getValue(out, 'i32');
    const outputs = m.getValue(out + POINTER, 'i32');
    for (let i = 0; i < inputs + outputs; i++) (i < inputs ? this.inputs : this.outputs).push(this.#describe(i, out));
  }

  /**
   * Computes all outputs. Every input of the graph must be in `feeds`, of its type; other names are ignored.
   * @throws OrtError: INVALID_ARGUMENT for a wrong input, isOutOfMemory, ABORTED after a trap.
   */
  run(feeds: Feeds): Outputs {
    if (this.#released) throw new OrtError('the session was released', ORT_CODE.RELEASED);
    return this.runtime.guard(() => {
      const m = this.runtime.module;
      const frees: Pointer[] = [];
      const tensors: Pointer[] = [];
      try {
        const [inputNames, inputs] = this.#placeInputs(feeds, frees, tensors);
        const count = this.outputs.length;
        const outputs = m.stackAlloc(POINTER * count);
        const outputNames = m.stackAlloc(POINTER * count);
        for (let i = 0; i < count; i++) {
          m.setValue(outputs + POINTER * i, 0, '*');
          m.setValue(outputNames + POINTER * i, this.#names[this.inputs.length + i] ?? 0, '*');
        }
        const status = m._OrtRun(this.#handle, inputNames, inputs, this.inputs.length, outputNames, count, outputs, 0);
        const made = this.outputs.map((_, i) => m.getValue(outputs + POINTER * i, '*'));
        for (const tensor of made) if (tensor) tensors.push(tensor);
        if (status) this.runtime.fail('cannot run the model');
        return Object.fromEntries(this.outputs.map((info, i) => [info.name, this.#read(made[i] ?? 0, info)]));
      } finally {
        if (!this.runtime.aborted) {
          for (const tensor of tensors) m._OrtReleaseTensor(tensor);
          for (const pointer of frees) m._free(pointer);
        }
      }
    });
  }

  /** Gives the memory back to the heap (not to the system). Twice is once. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    if (this.runtime.aborted) return;
    this.runtime.guard(() => {
      for (const name of this.#names) this.runtime.module._OrtFree(name);
      this.runtime.module._OrtReleaseSession(this.#handle);
    });
  }

  #describe(index: number, out: Pointer): ValueInfo {
    const m = this.runtime.module;
    if (m._OrtGetInputOutputMetadata(this.#handle, index, out, out + POINTER))
      this.runtime.fail('cannot read metadata');
    const name = m.getValue(out, '*');
    this.#names.push(name);
    // { type, rank, symbolic names or 0 [rank], sizes [rank] }; type 0 = not a tensor
    const metadata = m.getValue(out + POINTER, '*');
    const type = m.getValue(metadata, 'i32');
    const rank = type ? m.getValue(metadata + 4, 'i32') : 0;
    const shape = Array.from({ length: rank }, (_, d) => {
      const symbol = m.getValue(metadata + 8 + POINTER * d, '*');
      return symbol ? m.UTF8ToString(symbol) : m.getValue(metadata + 8 + POINTER * (d + rank), 'i32');
    });
    m._OrtFree(metadata);
    return { name: m.UTF8ToString(name), type: typeName(type), shape };
  }

  #placeInputs(feeds: Feeds, frees: Pointer[], tensors: Pointer[]): [names: Pointer, values: Pointer] {
    const m = this.runtime.module;
    const values = m.stackAlloc(POINTER * this.inputs.length);
    const names = m.stackAlloc(POINTER * this.inputs.length);
    this.inputs.forEach(({ name, type }, i) => {
      const tensor = feeds[name];
      if (tensor?.type !== type || tensor.data.length !== elementCount(tensor.dims)) {
        const got = tensor ? `${tensor.type}[${tensor.dims}] of ${tensor.data.length} values` : 'nothing';
        throw new OrtError(`input "${name}": expected ${type}, got ${got}`, ORT_CODE.INVALID_ARGUMENT);
      }
      const [data, byteLength] = this.#placeData(tensor, frees);
      const dims = m.stackAlloc(4 * tensor.dims.length || 4);
      tensor.dims.forEach((size, d) => {
        m.setValue(dims + 4 * d, size, 'i32');
      });
      const handle = m._OrtCreateTensor(TYPE_CODE[tensor.type], data, byteLength, dims, tensor.dims.length, ON_CPU);
      if (!handle) this.runtime.fail(`input "${name}"`);
      tensors.push(handle);
      m.setValue(values + POINTER * i, handle, '*');
      m.setValue(names + POINTER * i, this.#names[i] ?? 0, '*');
    });
    return [names, values];
  }

  /** ORT reads numbers in place, so they stay until after the run; strings it copies. */
  #placeData(tensor: Tensor, frees: Pointer[]): [data: Pointer, byteLength: number] {
    if (tensor.type === 'string') return this.#placeStrings(tensor.data, frees);
    const { buffer, byteOffset, byteLength } = tensor.data;
    const data = this.runtime.malloc(byteLength);
    frees.push(data);
    this.runtime.module.HEAPU8.set(new Uint8Array(buffer, byteOffset, byteLength), data);
    return [data, byteLength];
  }

  /** Columns repeat their values: each distinct string is written once. */
  #placeStrings(strings: string[], frees: Pointer[]): [data: Pointer, byteLength: number] {
    const m = this.runtime.module;
    const byteLength = POINTER * strings.length;
    const data = this.runtime.malloc(byteLength);
    frees.push(data);
    const written = new Map<string, Pointer>();
    strings.forEach((text, i) => {
      let pointer = written.get(text);
      if (pointer === undefined) {
        const size = m.lengthBytesUTF8(text) + 1;
        pointer = this.runtime.malloc(size);
        frees.push(pointer);
        m.stringToUTF8(text, pointer, size);
        written.set(text, pointer);
      }
      m.setValue(data + POINTER * i, pointer, '*');
    });
    return [data, byteLength];
  }

  #read(tensor: Pointer, info: ValueInfo): Tensor {
    const m = this.runtime.module;
    const out = m.stackAlloc(4 * POINTER);
    if (m._OrtGetTensorData(tensor, out, out + 4, out + 8, out + 12)) this.runtime.fail(`output "${info.name}"`);
    const code = m.getValue(out, 'i32');
    const data = m.getValue(out + 4, '*');
    const dimsAt = m.getValue(out + 8, '*');
    const dims = Array.from({ length: m.getValue(out + 12, 'i32') }, (_, d) => m.getValue(dimsAt + 4 * d, 'i32'));
    m._OrtFree(dimsAt);
    if (code === STRING) return { type: 'string', dims, data: this.#readStrings(data, elementCount(dims)) };
    const copy = copyTensor(m.HEAPU8, code, data, dims);
    if (!copy) throw new OrtError(`output "${info.name}" is ${typeName(code)}, not carried`, ORT_CODE.INVALID_ARGUMENT);
    return copy;
  }

  /** ORT hands out addresses [size] followed by the texts one after the other; only the last ends with a NUL. */
  #readStrings(data: Pointer, size: number): string[] {
    const m = this.runtime.module;
    const at = (i: number) => m.getValue(data + POINTER * i, '*');
    const strings = Array.from({ length: size }, (_, i) =>
      m.UTF8ToString(at(i), i === size - 1 ? undefined : at(i + 1) - at(i)),
    );
    if (data) m._free(data);
    return strings;
  }
}
