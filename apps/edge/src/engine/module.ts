/**
 * The WebAssembly module of onnxruntime-web as TypeScript sees it: the C API's exports and Emscripten's memory access.
 * Names beginning with _Ort are semi-private to onnxruntime-web: its version is pinned, the parity test guards them.
 */

/** An address in the WebAssembly heap; 0 = none. */
export type Pointer = number;

/** What the factory adds to the object that it is given. Functions returning a status answer 0 for success. */
export interface OrtModule {
  /** Replaced whenever the heap grows: never keep it across a call. */
  readonly HEAPU8: Uint8Array;
  _malloc(bytes: number): Pointer;
  _free(pointer: Pointer): void;
  stackSave(): Pointer;
  stackRestore(pointer: Pointer): void;
  stackAlloc(bytes: number): Pointer;
  getValue(pointer: Pointer, type: 'i32' | '*'): number;
  setValue(pointer: Pointer, value: number, type: 'i32' | '*'): void;
  UTF8ToString(pointer: Pointer, maxBytes?: number): string;
  stringToUTF8(text: string, pointer: Pointer, maxBytes: number): void;
  lengthBytesUTF8(text: string): number;

  _OrtInit(threads: number, logLevel: number): number;
  _OrtGetLastError(code: Pointer, message: Pointer): number;
  _OrtFree(pointer: Pointer): void;
  _OrtCreateSessionOptions(
    graphOptimization: number,
    cpuArena: boolean,
    memoryPattern: boolean,
    executionMode: number,
    profiling: boolean,
    profilePrefix: Pointer,
    logId: Pointer,
    logSeverity: number,
    logVerbosity: number,
    optimizedModelPath: Pointer,
  ): Pointer;
  _OrtReleaseSessionOptions(options: Pointer): void;
  _OrtCreateSession(model: Pointer, byteLength: number, options: Pointer): Pointer;
  _OrtReleaseSession(session: Pointer): void;
  _OrtGetInputOutputCount(session: Pointer, inputs: Pointer, outputs: Pointer): number;
  _OrtGetInputOutputMetadata(session: Pointer, index: number, name: Pointer, metadata: Pointer): number;
  _OrtCreateTensor(
    type: number,
    data: Pointer,
    byteLength: number,
    dims: Pointer,
    rank: number,
    location: number,
  ): Pointer;
  _OrtGetTensorData(tensor: Pointer, type: Pointer, data: Pointer, dims: Pointer, rank: Pointer): number;
  _OrtReleaseTensor(tensor: Pointer): void;
  _OrtRun(
    session: Pointer,
    inputNames: Pointer,
    inputs: Pointer,
    inputCount: number,
    outputNames: Pointer,
    outputCount: number,
    outputs: Pointer,
    options: Pointer,
  ): number;
}

/** What the factory is given. */
export interface OrtModuleConfig {
  numThreads: 1;
  locateFile(file: string): string;
  print(text: string): void;
  printErr(text: string): void;
  instantiateWasm(
    imports: WebAssembly.Imports,
    done: (instance: WebAssembly.Instance, module: WebAssembly.Module) => void,
  ): WebAssembly.Exports;
}

export type OrtFactory = (config: OrtModuleConfig) => Promise<OrtModule>;
