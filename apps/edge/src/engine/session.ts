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
/** Larger inputs are placed anew for each run: their copying costs more than that, and the heap is small. */
const MAX_PLACE_BYTES = 1024;

type NumericTensor = Exclude<Tensor, { type: 'string' }>;

/** Where an input of one shape lies in the heap. */
interface Place {
  dims: readonly number[];
  data: Pointer;
  handle: Pointer;
}

const NO_INPUT: ValueInfo = { name: '', type: '', shape: [] };

function sameDims(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, d) => size === b[d]);
}

/** A model in the heap of a runtime. Made by OrtRuntime.createSession. */
export class OrtSession {
  readonly runtime: OrtRuntime;
  readonly inputs: ValueInfo[] = [];
  readonly outputs: ValueInfo[] = [];
  readonly #handle: Pointer;
  /** C strings of ORT, inputs first: they are passed back to every run. */
  readonly #names: Pointer[] = [];
  /** All of #names in the heap, as a run wants them. */
  readonly #nameList: Pointer;
  /** Of the inputs, by index. */
  readonly #places: (Place | undefined)[] = [];
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
    this.#nameList = runtime.malloc(POINTER * this.#names.length);
    new Int32Array(m.HEAPU8.buffer).set(this.#names, this.#nameList / POINTER);
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
        const handles = this.#placeInputs(feeds, frees, tensors);
        const inputs = m.stackAlloc(POINTER * handles.length);
        const heap = new Int32Array(m.HEAPU8.buffer);
        heap.set(handles, inputs / POINTER);
        const count = this.outputs.length;
        const outputs = m.stackAlloc(POINTER * count);
        heap.fill(0, outputs / POINTER, outputs / POINTER + count);
        const outputNames = this.#nameList + POINTER * this.inputs.length;
        const status = m._OrtRun(this.#handle, this.#nameList, inputs, handles.length, outputNames, count, outputs, 0);
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
      const m = this.runtime.module;
      for (const place of this.#places) if (place) this.#leave(place);
      for (const name of this.#names) m._OrtFree(name);
      m._free(this.#nameList);
      m._OrtReleaseSession(this.#handle);
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

  /** Handles of the inputs; what is made for this run alone is in `frees` and `tensors`. */
  #placeInputs(feeds: Feeds, frees: Pointer[], tensors: Pointer[]): Int32Array {
    const handles = new Int32Array(this.inputs.length);
    const placed: { tensor: NumericTensor; data: Pointer }[] = [];
    for (let i = 0; i < handles.length; i++) {
      const { name, type } = this.inputs[i] ?? NO_INPUT;
      const tensor = feeds[name];
      if (tensor?.type !== type || tensor.data.length !== elementCount(tensor.dims)) {
        const got = tensor ? `${tensor.type}[${tensor.dims}] of ${tensor.data.length} values` : 'nothing';
        throw new OrtError(`input "${name}": expected ${type}, got ${got}`, ORT_CODE.INVALID_ARGUMENT);
      }
      if (tensor.type !== 'string' && tensor.data.byteLength <= MAX_PLACE_BYTES) {
        const { data, handle } = this.#placeOf(i, name, tensor);
        placed.push({ tensor, data });
        handles[i] = handle;
      } else {
        const [data, byteLength] = this.#placeData(tensor, frees);
        const handle = this.#createTensor(name, tensor, data, byteLength);
        tensors.push(handle);
        handles[i] = handle;
      }
    }
    this.#fill(placed);
    return handles;
  }

  /**
   * Small inputs keep their place in the heap as long as they keep their shape: of a model of 100 columns, making and
   * releasing the tensors was half of a run.
   */
  #placeOf(index: number, name: string, tensor: NumericTensor): Place {
    const before = this.#places[index];
    if (before && sameDims(before.dims, tensor.dims)) return before;
    if (before) this.#leave(before);
    this.#places[index] = undefined;
    const { byteLength } = tensor.data;
    const data = this.runtime.malloc(byteLength);
    const handle = this.#createTensor(name, tensor, data, byteLength, () => this.runtime.module._free(data));
    const place = { dims: [...tensor.dims], data, handle };
    this.#places[index] = place;
    return place;
  }

  /** After the last malloc, which may have replaced the heap's buffer. */
  #fill(placed: { tensor: NumericTensor; data: Pointer }[]): void {
    const bytes = this.runtime.module.HEAPU8;
    const doubles = new Float64Array(bytes.buffer);
    for (const { tensor, data } of placed) {
      if (tensor.type === 'float64')
        doubles.set(tensor.data, data / 8); // no view for each of a hundred columns
      else bytes.set(new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength), data);
    }
  }

  #leave({ data, handle }: Place): void {
    this.runtime.module._OrtReleaseTensor(handle);
    this.runtime.module._free(data);
  }

  #createTensor(name: string, tensor: Tensor, data: Pointer, byteLength: number, undo = () => {}): Pointer {
    const m = this.runtime.module;
    const dims = m.stackAlloc(4 * tensor.dims.length || 4);
    tensor.dims.forEach((size, d) => {
      m.setValue(dims + 4 * d, size, 'i32');
    });
    const handle = m._OrtCreateTensor(TYPE_CODE[tensor.type], data, byteLength, dims, tensor.dims.length, ON_CPU);
    if (handle) return handle;
    undo();
    return this.runtime.fail(`input "${name}"`);
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
