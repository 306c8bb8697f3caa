/** Texts in a heap as C strings. Categories repeat from request to request: short ones are kept there. */
import type { Pointer } from './module.ts';
import type { OrtRuntime } from './runtime.ts';

const POINTER = 4;
/** Some 30 bytes each; longer ones are seldom seen twice. */
const MAX_KEPT_TEXTS = 1024;
const MAX_KEPT_LENGTH = 64;

/** The texts of a session. */
export class HeapTexts {
  readonly #runtime: OrtRuntime;
  readonly #kept = new Map<string, Pointer>();

  constructor(runtime: OrtRuntime) {
    this.#runtime = runtime;
  }

  /**
   * Writes strings as ORT reads them: addresses of C strings. Each distinct string is written once. What does not stay
   * goes into `frees`, for the caller to free once ORT has copied it.
   */
  place(strings: readonly string[], frees: Pointer[]): [data: Pointer, byteLength: number] {
    if (this.#kept.size > MAX_KEPT_TEXTS) this.forget();
    const byteLength = POINTER * strings.length;
    const data = this.#runtime.malloc(byteLength);
    frees.push(data);
    let others: Map<string, Pointer> | undefined;
    for (let i = 0; i < strings.length; i++) {
      const text = strings[i] ?? '';
      let pointer = this.#kept.get(text) ?? others?.get(text);
      if (pointer === undefined) {
        pointer = this.#write(text);
        if (text.length <= MAX_KEPT_LENGTH && this.#kept.size <= MAX_KEPT_TEXTS) this.#kept.set(text, pointer);
        else {
          frees.push(pointer);
          others ??= new Map();
          others.set(text, pointer);
        }
      }
      this.#runtime.words[data / POINTER + i] = pointer;
    }
    return [data, byteLength];
  }

  forget(): void {
    for (const pointer of this.#kept.values()) this.#runtime.module._free(pointer);
    this.#kept.clear();
  }

  #write(text: string): Pointer {
    const m = this.#runtime.module;
    const size = m.lengthBytesUTF8(text) + 1;
    const pointer = this.#runtime.malloc(size);
    m.stringToUTF8(text, pointer, size);
    return pointer;
  }
}
