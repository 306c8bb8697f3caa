/**
 * Reads the protobuf wire format, as much as ONNX needs. Knows no message type. It trusts nothing: every length is
 * checked against what is there, and depth, messages and listed numbers are limited, because a few bytes of the file
 * may become a hundred in memory.
 */
import { OnnxError } from './errors.ts';
import { WIRE } from './protobuf-writer.ts';

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Strings up to this length are read byte by byte. */
const SHORT = 24;
const ASCII = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code));

/** How much a reader may be asked to do before it refuses. */
export interface Limits {
  readonly bytes: number;
  /** Nesting of messages; a graph inside a graph costs three. */
  readonly depth: number;
  /** Messages and strings in all: an empty one takes two bytes in the file but a hundred in memory. */
  readonly messages: number;
  /** Numbers in attribute lists in all: one byte in the file, thirty in memory. Tensors stay bytes: not counted. */
  readonly numbers: number;
}

/**
 * Enough for any model that the edge could serve, and for the reference models that are imported. At these limits the
 * worst file measured takes half a gigabyte beside the bytes of its tensors.
 */
export const DEFAULT_LIMITS: Limits = { bytes: 1 << 30, depth: 32, messages: 2_000_000, numbers: 8_000_000 };

/** What all readers of one file share. */
interface File {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  messages: number;
  numbers: number;
}

/** Reads the fields of one message in order; errors name it by the way from the file's root. */
export class Reader {
  readonly #file: File;
  readonly #outer: Reader | null;
  readonly #label: string;
  readonly #depth: number;
  readonly #start: number;
  readonly #end: number;
  #at: number;
  #wire = 0;
  /** The last varint in two halves: bigints are slow, and nearly all varints are small. */
  #low = 0;
  #high = 0;

  /** Reads a whole file; nested readers come from `message`. */
  static of(bytes: Uint8Array, where: string, limits: Limits = DEFAULT_LIMITS): Reader {
    if (bytes.byteLength > limits.bytes)
      throw new OnnxError(`${where}: ${bytes.byteLength} bytes are more than the limit of ${limits.bytes}`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const file = { bytes, view, messages: limits.messages, numbers: limits.numbers };
    return new Reader(file, null, where, limits.depth, 0, bytes.byteLength);
  }

  private constructor(file: File, outer: Reader | null, label: string, depth: number, start: number, end: number) {
    this.#file = file;
    this.#outer = outer;
    this.#label = label;
    this.#depth = depth;
    this.#start = start;
    this.#end = end;
    this.#at = start;
  }

  /** The way to this message: "model > graph > node 3". */
  get where(): string {
    return this.#outer ? `${this.#outer.where} > ${this.#label}` : this.#label;
  }

  /** Bytes that this message has in all. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** A second reader of the same message, from its beginning. */
  again(): Reader {
    return new Reader(this.#file, this.#outer, this.#label, this.#depth, this.#start, this.#end);
  }

  /** The next field's number, or 0 at the end; its value must then be taken or skipped. */
  field(): number {
    if (this.#at >= this.#end) return 0;
    const tag = this.#varint32('a field tag');
    this.#wire = tag & 7;
    const field = tag >>> 3;
    if (field === 0) this.fail('field number 0');
    return field;
  }

  /** An error at this place of the file. */
  fail(problem: string): never {
    throw new OnnxError(`${this.where}: ${problem} (at byte ${this.#at})`);
  }

  /** A 64-bit integer. */
  int(what: string): bigint {
    this.#expect(WIRE.VARINT, what);
    this.#varint(what);
    return this.#signed();
  }

  /** An integer that must be exact as a number and not negative: a version, a size, an enum. */
  size(what: string): number {
    this.#expect(WIRE.VARINT, what);
    this.#varint(what);
    // 2^53 is the first that has a neighbour without a number of its own.
    if (this.#high < 0 || this.#high >= 0x200000) this.fail(`${what} is ${this.#signed()}`);
    return this.#high * 0x100000000 + this.#low;
  }

  /** A 32-bit float. */
  float(what: string): number {
    this.#expect(WIRE.FIXED32, what);
    return this.#file.view.getFloat32(this.#pass(4, what), true);
  }

  /** Bytes, as a view into the file: copy before keeping. */
  bytes(what: string): Uint8Array {
    this.#expect(WIRE.BYTES, what);
    const end = this.#span(what);
    const start = this.#at;
    this.#at = end;
    return this.#file.bytes.subarray(start, end);
  }

  /** A string, which must be valid UTF-8. */
  string(what: string): string {
    this.#spend(what);
    const bytes = this.bytes(what);
    // Names are short and ASCII, for which the decoder costs more than the reading.
    if (bytes.length <= SHORT) {
      let text = '';
      for (const byte of bytes) {
        if (byte > 0x7f) break;
        text += ASCII[byte] ?? '';
      }
      if (text.length === bytes.length) return text;
    }
    try {
      return strictUtf8.decode(bytes);
    } catch {
      return this.fail(`${what} is not valid UTF-8`);
    }
  }

  /** A nested message's own reader. */
  message(what: string): Reader {
    this.#expect(WIRE.BYTES, what);
    this.#spend(what);
    if (this.#depth === 0) this.fail(`${what} is nested too deeply`);
    const end = this.#span(what);
    const start = this.#at;
    this.#at = end;
    return new Reader(this.#file, this, what, this.#depth - 1, start, end);
  }

  /** Integers of a repeated field (packed into one field or not) for an attribute's list. */
  ints(what: string, into: bigint[]): void {
    this.varints(what, () => {
      this.#count(what, 1);
      into.push(this.#signed());
    });
  }

  /** Floats of a repeated field for an attribute's list. */
  floats(what: string, into: number[]): void {
    const bytes = this.fixed(what, 4);
    this.#count(what, bytes.byteLength / 4);
    const { view, bytes: all } = this.#file;
    const start = bytes.byteOffset - all.byteOffset;
    for (let at = 0; at < bytes.byteLength; at += 4) into.push(view.getFloat32(start + at, true));
  }

  /** Integers of a repeated field, each as two 32-bit halves (signed). */
  varints(what: string, take: (low: number, high: number) => void): void {
    if (this.#wire === WIRE.VARINT) {
      this.#varint(what);
      take(this.#low | 0, this.#high);
      return;
    }
    this.#expect(WIRE.BYTES, what);
    const end = this.#span(what);
    while (this.#at < end) {
      this.#varint(what);
      take(this.#low | 0, this.#high);
    }
    if (this.#at !== end) this.fail(`${what}: a packed value crosses the field's end`);
  }

  /** Little-endian bytes of a repeated field of floats (width 4) or doubles (8): those of one, or of all if packed. */
  fixed(what: string, width: 4 | 8): Uint8Array {
    if (this.#wire === (width === 4 ? WIRE.FIXED32 : WIRE.FIXED64)) {
      const start = this.#pass(width, what);
      return this.#file.bytes.subarray(start, start + width);
    }
    const bytes = this.bytes(what);
    if (bytes.byteLength % width !== 0) this.fail(`${what}: a packed value crosses the field's end`);
    return bytes;
  }

  /** Counts this message as so many more: what it becomes takes that much more memory than others do. */
  charge(messages: number): void {
    this.#file.messages -= messages;
    if (this.#file.messages < 0) this.fail('too many messages in one file');
  }

  /** Passes over a field that is not needed. */
  skip(): void {
    if (this.#wire === WIRE.VARINT) this.#varint('a skipped field');
    else if (this.#wire === WIRE.FIXED64) this.#pass(8, 'a skipped field');
    else if (this.#wire === WIRE.BYTES) this.#at = this.#span('a skipped field');
    else if (this.#wire === WIRE.FIXED32) this.#pass(4, 'a skipped field');
    else this.fail(`wire type ${this.#wire}`);
  }

  #expect(wire: number, what: string): void {
    if (this.#wire !== wire) this.fail(`${what} has wire type ${this.#wire}, expected ${wire}`);
  }

  #spend(what: string): void {
    if (this.#file.messages-- <= 0) this.fail(`${what}: too many messages in one file`);
  }

  #count(what: string, numbers: number): void {
    this.#file.numbers -= numbers;
    if (this.#file.numbers < 0) this.fail(`${what}: too many numbers in the attributes of one file`);
  }

  /** Reads a length and returns where that many bytes end; the place stays at their start. */
  #span(what: string): number {
    const length = this.#varint32(what);
    const end = this.#at + length;
    if (end > this.#end) this.fail(`${what} claims ${length} bytes, ${this.#end - this.#at} are left`);
    return end;
  }

  #pass(width: number, what: string): number {
    const at = this.#at;
    if (at + width > this.#end) this.fail(`${what} is cut off`);
    this.#at += width;
    return at;
  }

  #signed(): bigint {
    return (BigInt(this.#high) << 32n) | BigInt(this.#low);
  }

  #varint32(what: string): number {
    this.#varint(what);
    if (this.#high !== 0) this.fail(`the length or number of ${what} is ${this.#signed()}`);
    return this.#low;
  }

  /** Sets #low (unsigned) and #high (signed). */
  #varint(what: string): void {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#at >= this.#end) this.fail(`${what} is cut off`);
      const byte = this.#file.bytes[this.#at++] ?? 0;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) {
        this.#low = low >>> 0;
        this.#high = high | 0;
        return;
      }
    }
    this.fail(`${what}: a varint of more than ten bytes`);
  }
}
