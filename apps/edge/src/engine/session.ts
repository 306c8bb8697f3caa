/** A loaded model: names, types and shapes of what goes in and out, and a synchronous run. */
import { ORT_CODE, OrtError } from './errors.ts';
import type { Pointer } from './module.ts';
import type { OrtRuntime } from './runtime.ts';
import type { Feeds, Outputs, Tensor, TensorType } from './tensor.ts';
import { copyTensor, elementCount, TYPE_CODE, typeName } from './tensor.ts';
import { HeapTexts } from './texts.ts';

/** An input or output of a graph; a symbolic dimension is its name. */
export interface ValueInfo {
  name: string;
  type: string;
  shape: (number | string)[];
}

const POINTER = 4;
const STRING = TYPE_CODE.string;
const FLOAT = TYPE_CODE.float32;
const ON_CPU = 1;
/** Larger tensors are placed anew for each run: their copying costs more than that, and the heap is small. */
const MAX_PLACE_BYTES = 1024;
/** Numbers that a loop copies sooner than a call does. */
const MAX_FEW = 64;

type NumericTensor = Exclude<Tensor, { type: 'string' }>;

/** Where an input or output of one shape lies in the heap. */
interface Place {
  type: TensorType;
  dims: readonly number[];
  data: Pointer;
  handle: Pointer;
}

/** What is made for one run alone. */
interface Temporary {
  memory: Pointer[];
  tensors: Pointer[];
}

/** A word that no model answers (as a float it is a NaN); one that does is run again. */
const UNWRITTEN = 0x7fa7_a7a7;

const NO_INPUT: ValueInfo = { name: '', type: '', shape: [] };
/** No tensor's dimensions. */
const NEVER: readonly number[] = [-1];

/** Not by assignment: an output may be called "__proto__". */
function named(outputs: readonly ValueInfo[], read: (info: ValueInfo, index: number) => Tensor): Outputs {
  const [only, ...more] = outputs;
  if (only && more.length === 0) return { [only.name]: read(only, 0) };
  return Object.fromEntries(outputs.map((info, i) => [info.name, read(info, i)]));
}

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
  readonly #texts: HeapTexts;
  /** Of the last run's inputs. */
  readonly #dims: (readonly number[])[] = [];
  /** For the outputs of runs with inputs of these dimensions, once they have come twice. */
  #answers: Place[] | undefined;
  /** A run did not write to the places of its outputs: such a model's have none. */
  #placeless = false;
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
    this.#texts = new HeapTexts(runtime);
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
        const again = this.#placeInputs(feeds, temporary);
        return this.#compute(temporary, again);
      } finally {
        const m = this.runtime.module;
        if (!this.runtime.aborted) {
          for (const tensor of temporary.tensors) m._OrtReleaseTensor(tensor);
          for (const pointer of temporary.memory) m._free(pointer);
        }
      }
    });
  }

  /** `again`: the inputs have the dimensions of the last run's. */
  #compute(temporary: Temporary, again: boolean): Outputs {
    const { runtime, outputs } = this;
    const answers = this.#answers;
    const [inputCount, count] = [this.#handles.length, outputs.length];
    const inputsAt = this.#lists + POINTER * (inputCount + count);
    const outputsAt = inputsAt + POINTER * inputCount;
    runtime.words.set(this.#handles, inputsAt / POINTER);
    for (let i = 0; i < count; i++) runtime.words[outputsAt / POINTER + i] = answers?.[i]?.handle ?? 0;
    for (const { data } of answers ?? []) runtime.words[data / POINTER] = UNWRITTEN;
    const names = this.#lists + POINTER * inputCount;
    const m = runtime.module;
    const status = m._OrtRun(this.#handle, this.#lists, inputsAt, inputCount, names, count, outputsAt, 0);
    if (answers && (status || answers.some(({ data }) => runtime.words[data / POINTER] === UNWRITTEN))) {
      // The outputs' dimensions depend on more than the inputs', or an output is an input and was not written (or
      // something else is wrong, which comes again).
      this.#dropAnswers();
      const read = this.#compute(temporary, false);
      this.#placeless = true;
      return read;
    }
    if (answers)
      return named(outputs, (_, i) => {
        const { type, data, dims } = answers[i] as Place;
        return this.#copy(TYPE_CODE[type], data, dims) as Tensor;
      });
    const made: Pointer[] = [];
    for (let i = 0; i < count; i++) made.push(runtime.words[outputsAt / POINTER + i] ?? 0);
    for (const tensor of made) if (tensor) temporary.tensors.push(tensor);
    if (status) runtime.fail('cannot run the model');
    const read = named(outputs, (info, i) => this.#read(made[i] ?? 0, info));
    if (again && !this.#placeless) this.#answers = this.#placeAnswers(read);
    return read;
  }

  /** Places for outputs like these, if all of them are small numbers. */
  #placeAnswers(read: Outputs): Place[] | undefined {
    const tensors: NumericTensor[] = [];
    for (const { name } of this.outputs) {
      const tensor = read[name];
      if (!tensor || tensor.type === 'string' || tensor.data.length === 0) return undefined;
      if (tensor.data.byteLength > MAX_PLACE_BYTES) return undefined;
      tensors.push(tensor);
    }
    const places: Place[] = [];
    try {
      for (const tensor of tensors) places.push(this.#newPlace('an output', tensor));
      return places;
    } catch {
      for (const place of places) this.#leave(place); // the heap is full: it goes without, as it did now
      return undefined;
    }
  }

  #dropAnswers(): void {
    for (const place of this.#answers ?? []) this.#leave(place);
    this.#answers = undefined;
  }

  /** Gives the memory back to the heap (not to the system). Twice is once. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    if (this.runtime.aborted) return;
    this.runtime.guard(() => {
      const m = this.runtime.module;
      for (const place of this.#places) if (place) this.#leave(place);
      this.#dropAnswers();
      this.#texts.forget();
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

  /** Puts every input into the heap, its handle into #handles. True when all dimensions are those of the last run. */
  #placeInputs(feeds: Feeds, temporary: Temporary): boolean {
    let again = true;
    for (let i = 0; i < this.#handles.length; i++) {
      const { name, type } = this.inputs[i] ?? NO_INPUT;
      const tensor = feeds[name];
      if (tensor?.type !== type || tensor.data.length !== elementCount(tensor.dims)) {
        const got = tensor ? `${tensor.type}[${tensor.dims}] of ${tensor.data.length} values` : 'nothing';
        throw new OrtError(`input "${name}": expected ${type}, got ${got}`, ORT_CODE.INVALID_ARGUMENT);
      }
      this.#pending[i] = undefined;
      if (!sameDims(this.#dims[i] ?? NEVER, tensor.dims)) {
        again = false;
        this.#dims[i] = [...tensor.dims];
        this.#dropAnswers();
      }
      if (tensor.type !== 'string' && tensor.data.byteLength <= MAX_PLACE_BYTES) {
        this.#handles[i] = this.#placeOf(i, name, tensor).handle;
        this.#pending[i] = tensor;
      } else this.#handles[i] = this.#temporaryHandle(name, tensor, temporary);
    }
    this.#fill();
    return again;
  }

  #temporaryHandle(name: string, tensor: Tensor, temporary: Temporary): Pointer {
    const { type, dims } = tensor;
    const [data, byteLength] = this.#placeData(tensor, temporary.memory);
    const handle = this.#createTensor(`input "${name}"`, { type, dims, data }, byteLength);
    temporary.tensors.push(handle);
    return handle;
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
    const place = this.#newPlace(`input "${name}"`, tensor);
    this.#places[index] = place;
    return place;
  }

  #newPlace(what: string, { type, dims, data: { byteLength } }: NumericTensor): Place {
    const data = this.runtime.malloc(Math.max(byteLength, POINTER)); // room for the word UNWRITTEN
    const place = { type, dims: [...dims], data };
    try {
      return { ...place, handle: this.#createTensor(what, place, byteLength) };
    } catch (error) {
      this.runtime.module._free(data);
      throw error;
    }
  }

  /** After the last malloc, which may have replaced the heap's buffer. */
  #fill(): void {
    const { floats, doubles, bytes } = this.runtime;
    for (let i = 0; i < this.#pending.length; i++) {
      const tensor = this.#pending[i];
      if (!tensor) continue;
      const at = this.#places[i]?.data ?? 0;
      // Without a view of the data: asking a small array for its buffer moves it.
      if (tensor.type === 'float64') doubles.set(tensor.data, at / 8);
      else if (tensor.type === 'float32') floats.set(tensor.data, at / 4);
      else bytes.set(new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength), at);
    }
  }

  #leave({ data, handle }: Place): void {
    this.runtime.module._OrtReleaseTensor(handle);
    this.runtime.module._free(data);
  }

  #createTensor(what: string, { type, dims, data }: Omit<Place, 'handle'>, byteLength: number): Pointer {
    const m = this.runtime.module;
    const at = m.stackAlloc(4 * dims.length || 4);
    const { words } = this.runtime;
    for (let d = 0; d < dims.length; d++) words[at / 4 + d] = dims[d] ?? 0;
    return m._OrtCreateTensor(TYPE_CODE[type], data, byteLength, at, dims.length, ON_CPU) || this.runtime.fail(what);
  }

  /** ORT reads numbers in place, so they stay until after the run; strings it copies. */
  #placeData(tensor: Tensor, frees: Pointer[]): [data: Pointer, byteLength: number] {
    if (tensor.type === 'string') return this.#texts.place(tensor.data, frees);
    const { buffer, byteOffset, byteLength } = tensor.data;
    const data = this.runtime.malloc(byteLength);
    frees.push(data);
    this.runtime.bytes.set(new Uint8Array(buffer, byteOffset, byteLength), data);
    return [data, byteLength];
  }

  #read(tensor: Pointer, info: ValueInfo): Tensor {
    const m = this.runtime.module;
    const out = m.stackAlloc(4 * POINTER);
    if (m._OrtGetTensorData(tensor, out, out + 4, out + 8, out + 12)) this.runtime.fail(`output "${info.name}"`);
    const { words } = this.runtime;
    const word = (at: Pointer) => words[at / POINTER] ?? 0;
    const [code, data, dimsAt, rank] = [word(out), word(out + 4), word(out + 8), word(out + 12)];
    const dims: number[] = [];
    for (let d = 0; d < rank; d++) dims.push(word(dimsAt + POINTER * d));
    m._OrtFree(dimsAt);
    if (code === STRING) return { type: 'string', dims, data: this.#readStrings(data, elementCount(dims)) };
    const copy = this.#copy(code, data, dims);
    if (!copy) throw new OrtError(`output "${info.name}" is ${typeName(code)}, not carried`, ORT_CODE.INVALID_ARGUMENT);
    return copy;
  }

  #copy(code: number, data: Pointer, dims: readonly number[]): Tensor | undefined {
    if (code !== FLOAT) return copyTensor(this.runtime.bytes, code, data, dims);
    return { type: 'float32', dims, data: this.#readFloats(data, elementCount(dims)) };
  }

  /** Most answers are a few numbers: one array and no view. */
  #readFloats(data: Pointer, size: number): Float32Array<ArrayBuffer> {
    const { floats } = this.runtime;
    const at = data / 4;
    if (size > MAX_FEW) return floats.slice(at, at + size) as Float32Array<ArrayBuffer>;
    const copy = new Float32Array(size);
    for (let i = 0; i < size; i++) copy[i] = floats[at + i] ?? Number.NaN;
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
