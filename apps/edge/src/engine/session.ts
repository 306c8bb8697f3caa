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
/** Tensors of single texts that a session keeps, some 200 bytes each; longer texts are seldom seen twice. */
const MAX_KEPT_TEXTS = 256;
const MAX_KEPT_LENGTH = 64;

type NumericTensor = Exclude<Tensor, { type: 'string' }>;

/** Where an input of one shape lies in the heap. */
interface Place {
  dims: readonly number[];
  data: Pointer;
  handle: Pointer;
}

/** What is made for one run alone. */
interface Temporary {
  memory: Pointer[];
  tensors: Pointer[];
}

const NO_INPUT: ValueInfo = { name: '', type: '', shape: [] };

function sameDims(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let d = 0; d < a.length; d++) if (a[d] !== b[d]) return false;
  return true;
}

/** A model in the heap of a runtime. Made by OrtRuntime.createSession. */
export class OrtSession {
  readonly runtime: OrtRuntime;
  readonly inputs: ValueInfo[] = [];
  readonly outputs: ValueInfo[] = [];
  readonly #handle: Pointer;
  /** C strings of ORT, inputs first: they are passed back to every run. */
  readonly #names: Pointer[] = [];
  /** In the heap, as a run wants them: all of #names, then the handles of inputs and outputs. */
  readonly #lists: Pointer;
  /** Of the inputs, by index. */
  readonly #places: (Place | undefined)[] = [];
  /** Of the inputs, by index: tensors [1,1] by their text. They repeat from request to request. */
  readonly #texts: (Map<string, Pointer> | undefined)[] = [];
  #keptTexts = 0;
  /** Handles of the run's inputs, and the tensors among them whose numbers are yet to be copied to their places. */
  readonly #handles: Int32Array;
  readonly #pending: (NumericTensor | undefined)[] = [];
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
    this.#lists = runtime.malloc(POINTER * this.#names.length * 2);
    this.#handles = new Int32Array(inputs);
    runtime.words.set(this.#names, this.#lists / POINTER);
  }

  /**
   * Computes all outputs. Every input of the graph must be in `feeds`, of its type; other names are ignored.
   * @throws OrtError: INVALID_ARGUMENT for a wrong input, isOutOfMemory, ABORTED after a trap.
   */
  run(feeds: Feeds): Outputs {
    if (this.#released) throw new OrtError('the session was released', ORT_CODE.RELEASED);
    return this.runtime.guard(() => {
      const temporary: Temporary = { memory: [], tensors: [] };
      try {
        this.#placeInputs(feeds, temporary);
        return this.#compute(temporary);
      } finally {
        const m = this.runtime.module;
        if (!this.runtime.aborted) {
          for (const tensor of temporary.tensors) m._OrtReleaseTensor(tensor);
          for (const pointer of temporary.memory) m._free(pointer);
        }
      }
    });
  }

  #compute({ tensors }: Temporary): Outputs {
    const { runtime, outputs } = this;
    const [inputCount, count] = [this.#handles.length, outputs.length];
    const inputsAt = this.#lists + POINTER * (inputCount + count);
    const outputsAt = inputsAt + POINTER * inputCount;
    runtime.words.set(this.#handles, inputsAt / POINTER);
    runtime.words.fill(0, outputsAt / POINTER, outputsAt / POINTER + count);
    const names = this.#lists + POINTER * inputCount;
    const m = runtime.module;
    const status = m._OrtRun(this.#handle, this.#lists, inputsAt, inputCount, names, count, outputsAt, 0);
    const made = Array.from(runtime.words.subarray(outputsAt / POINTER, outputsAt / POINTER + count));
    for (const tensor of made) if (tensor) tensors.push(tensor);
    if (status) runtime.fail('cannot run the model');
    return Object.fromEntries(outputs.map((info, i) => [info.name, this.#read(made[i] ?? 0, info)]));
  }

  /** Gives the memory back to the heap (not to the system). Twice is once. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    if (this.runtime.aborted) return;
    this.runtime.guard(() => {
      const m = this.runtime.module;
      for (const place of this.#places) if (place) this.#leave(place);
      this.#forgetTexts();
      for (const name of this.#names) m._OrtFree(name);
      m._free(this.#lists);
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

  /** Puts every input into the heap and its handle into #handles. */
  #placeInputs(feeds: Feeds, temporary: Temporary): void {
    if (this.#keptTexts > MAX_KEPT_TEXTS) this.#forgetTexts(); // not later: the run needs its own
    for (let i = 0; i < this.#handles.length; i++) {
      const { name, type } = this.inputs[i] ?? NO_INPUT;
      const tensor = feeds[name];
      if (tensor?.type !== type || tensor.data.length !== elementCount(tensor.dims)) {
        const got = tensor ? `${tensor.type}[${tensor.dims}] of ${tensor.data.length} values` : 'nothing';
        throw new OrtError(`input "${name}": expected ${type}, got ${got}`, ORT_CODE.INVALID_ARGUMENT);
      }
      this.#pending[i] = undefined;
      if (tensor.type === 'string') this.#handles[i] = this.#textHandle(i, name, tensor, temporary);
      else if (tensor.data.byteLength <= MAX_PLACE_BYTES) {
        this.#handles[i] = this.#placeOf(i, name, tensor).handle;
        this.#pending[i] = tensor;
      } else this.#handles[i] = this.#temporaryHandle(name, tensor, temporary);
    }
    this.#fill();
  }

  #temporaryHandle(name: string, tensor: Tensor, temporary: Temporary): Pointer {
    const [data, byteLength] = this.#placeData(tensor, temporary.memory);
    const handle = this.#createTensor(name, tensor, data, byteLength);
    temporary.tensors.push(handle);
    return handle;
  }

  /** A category comes again: its tensor is kept, as long as there are not too many. ORT does not write to inputs. */
  #textHandle(index: number, name: string, tensor: Tensor & { type: 'string' }, temporary: Temporary): Pointer {
    const [text = ''] = tensor.data;
    if (tensor.data.length !== 1 || tensor.dims.length !== 2 || text.length > MAX_KEPT_LENGTH)
      return this.#temporaryHandle(name, tensor, temporary);
    let kept = this.#texts[index];
    if (!kept) this.#texts[index] = kept = new Map();
    const known = kept.get(text);
    if (known !== undefined) return known;
    const [data, byteLength] = this.#placeData(tensor, temporary.memory);
    const handle = this.#createTensor(name, tensor, data, byteLength);
    kept.set(text, handle);
    this.#keptTexts++;
    return handle;
  }

  #forgetTexts(): void {
    for (const kept of this.#texts)
      for (const handle of kept?.values() ?? []) this.runtime.module._OrtReleaseTensor(handle);
    this.#texts.length = 0;
    this.#keptTexts = 0;
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
  #fill(): void {
    const { doubles, bytes } = this.runtime;
    for (let i = 0; i < this.#pending.length; i++) {
      const tensor = this.#pending[i];
      if (!tensor) continue;
      const at = this.#places[i]?.data ?? 0;
      // No view and no call for each of a hundred columns.
      if (tensor.type === 'float64' && tensor.data.length === 1) doubles[at / 8] = tensor.data[0] ?? Number.NaN;
      else bytes.set(new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength), at);
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
    this.runtime.bytes.set(new Uint8Array(buffer, byteOffset, byteLength), data);
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
    const { words } = this.runtime;
    const [code = 0, data = 0, dimsAt = 0, rank = 0] = words.subarray(out / POINTER, out / POINTER + 4);
    const dims = Array.from(words.subarray(dimsAt / POINTER, dimsAt / POINTER + rank));
    m._OrtFree(dimsAt);
    if (code === STRING) return { type: 'string', dims, data: this.#readStrings(data, elementCount(dims)) };
    const copy = copyTensor(this.runtime.bytes, code, data, dims);
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
