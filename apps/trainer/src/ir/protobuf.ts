/**
 * The protobuf wire format, as much as ONNX needs: a growing writer and a bounded reader. Knows no message type.
 * The reader trusts nothing: every length is checked against what is there, and depth and message count are limited.
 */
import { OnnxError } from './errors.ts';

/** Wire types of protobuf; groups (3, 4) have been obsolete since before ONNX existed. */
export const WIRE = { VARINT: 0, FIXED64: 1, BYTES: 2, FIXED32: 5 } as const;

const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Appends fields; `finish` joins them. Large byte fields are kept by reference, not copied, until then. */
export class Writer {
  #chunks: Uint8Array[] = [];
  #buffer = new Uint8Array(256);
  #view = new DataView(this.#buffer.buffer);
  #used = 0;
  #length = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.#length + this.#used;
  }

  /** A varint field of 64 bits (negative numbers take ten bytes, as protobuf's int64 does). */
  int(field: number, value: number | bigint): this {
    this.#tag(field, WIRE.VARINT);
    this.varint(value);
    return this;
  }

  /** A 32-bit float field. */
  float(field: number, value: number): this {
    this.#tag(field, WIRE.FIXED32);
    this.#reserve(4);
    this.#view.setFloat32(this.#used, value, true);
    this.#used += 4;
    return this;
  }

  /** A string field. */
  string(field: number, value: string): this {
    return this.bytes(field, utf8.encode(value));
  }

  /** A bytes field. */
  bytes(field: number, value: Uint8Array): this {
    this.#tag(field, WIRE.BYTES);
    this.varint(value.byteLength);
    if (value.byteLength > 1024) {
      this.#flush();
      this.#push(value);
    } else {
      this.#reserve(value.byteLength);
      this.#buffer.set(value, this.#used);
      this.#used += value.byteLength;
    }
    return this;
  }

  /** A nested message: whatever `write` appends, preceded by its length. */
  message(field: number, write: (inner: Writer) => void): this {
    const inner = new Writer();
    write(inner);
    this.#tag(field, WIRE.BYTES);
    this.varint(inner.length);
    inner.#flush();
    this.#flush();
    for (const chunk of inner.#chunks) this.#push(chunk);
    return this;
  }

  /** A bare varint, for packed fields. */
  varint(value: number | bigint): void {
    this.#reserve(10);
    if (typeof value === 'number' && value >= 0 && value < 0x80000000) {
      let rest = value;
      while (rest > 0x7f) {
        this.#buffer[this.#used++] = (rest & 0x7f) | 0x80;
        rest >>>= 7;
      }
      this.#buffer[this.#used++] = rest;
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 0x7fn) {
      this.#buffer[this.#used++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#buffer[this.#used++] = Number(rest);
  }

  /** Everything written, in one array. */
  finish(): Uint8Array<ArrayBuffer> {
    this.#flush();
    const joined = new Uint8Array(this.#length);
    let at = 0;
    for (const chunk of this.#chunks) {
      joined.set(chunk, at);
      at += chunk.byteLength;
    }
    return joined;
  }

  #tag(field: number, wire: number): void {
    this.varint(field * 8 + wire);
  }

  #push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#length += chunk.byteLength;
  }

  #flush(): void {
    if (this.#used === 0) return;
    this.#push(this.#buffer.slice(0, this.#used));
    this.#used = 0;
  }

  #reserve(bytes: number): void {
    if (this.#used + bytes <= this.#buffer.byteLength) return;
    const grown = new Uint8Array(Math.max(this.#buffer.byteLength * 2, this.#used + bytes));
    grown.set(this.#buffer.subarray(0, this.#used));
    this.#buffer = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** How much a reader may be asked to do before it refuses. */
export interface Limits {
  readonly bytes: number;
  /** Nesting of messages; a graph inside a graph costs three. */
  readonly depth: number;
  /** Messages and strings in all: an empty one takes two bytes in the file but a hundred in memory. */
  readonly messages: number;
}

/** Enough for any model that the edge could serve, and for the reference models that are imported. */
export const DEFAULT_LIMITS: Limits = { bytes: 1 << 30, depth: 32, messages: 2_000_000 };

/** Reads the fields of one message in order; `where` names it in errors. */
export class Reader {
  readonly where: string;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #budget: { messages: number };
  readonly #depth: number;
  #at: number;
  readonly #end: number;
  #wire = 0;

  /** Reads a whole file; nested readers come from `message`. */
  static of(bytes: Uint8Array, where: string, limits: Limits = DEFAULT_LIMITS): Reader {
    if (bytes.byteLength > limits.bytes)
      throw new OnnxError(`${where}: ${bytes.byteLength} bytes are more than the limit of ${limits.bytes}`);
    return new Reader(bytes, 0, bytes.byteLength, where, limits.depth, { messages: limits.messages });
  }

  private constructor(
    bytes: Uint8Array,
    start: number,
    end: number,
    where: string,
    depth: number,
    budget: { messages: number },
  ) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = start;
    this.#end = end;
    this.where = where;
    this.#depth = depth;
    this.#budget = budget;
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
    return this.#varint64(what);
  }

  /** An integer that must be exact as a number and not negative: a version, a size, an enum. */
  size(what: string): number {
    const value = this.int(what);
    if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) this.fail(`${what} is ${value}`);
    return Number(value);
  }

  /** A 32-bit float. */
  float(what: string): number {
    this.#expect(WIRE.FIXED32, what);
    return this.#fixed(4, what, (at) => this.#view.getFloat32(at, true));
  }

  /** Bytes, as a view into the file: copy before keeping. */
  bytes(what: string): Uint8Array {
    this.#expect(WIRE.BYTES, what);
    const [start, end] = this.#span(what);
    return this.#bytes.subarray(start, end);
  }

  /** A string, which must be valid UTF-8. */
  string(what: string): string {
    this.#spend(what);
    const bytes = this.bytes(what);
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
    const [start, end] = this.#span(what);
    return new Reader(this.#bytes, start, end, `${this.where} > ${what}`, this.#depth - 1, this.#budget);
  }

  /** Integers of a repeated field, which writers may pack into one field or not. */
  ints(what: string, into: bigint[]): void {
    this.#repeated(what, WIRE.VARINT, () => into.push(this.#varint64(what)));
  }

  /** Floats of a repeated field. */
  floats(what: string, into: number[]): void {
    const one = () => into.push(this.#fixed(4, what, (at) => this.#view.getFloat32(at, true)));
    this.#repeated(what, WIRE.FIXED32, one);
  }

  /** Doubles of a repeated field. */
  doubles(what: string, into: number[]): void {
    const one = () => into.push(this.#fixed(8, what, (at) => this.#view.getFloat64(at, true)));
    this.#repeated(what, WIRE.FIXED64, one);
  }

  /** Passes over a field that is not needed. */
  skip(): void {
    if (this.#wire === WIRE.VARINT) this.#varint64('a skipped field');
    else if (this.#wire === WIRE.FIXED64) this.#fixed(8, 'a skipped field', () => 0);
    else if (this.#wire === WIRE.BYTES) this.#span('a skipped field');
    else if (this.#wire === WIRE.FIXED32) this.#fixed(4, 'a skipped field', () => 0);
    else this.fail(`wire type ${this.#wire}`);
  }

  #repeated(what: string, wire: number, one: () => void): void {
    if (this.#wire === wire) {
      one();
      return;
    }
    this.#expect(WIRE.BYTES, what);
    const [, end] = this.#span(what, false);
    while (this.#at < end) one();
    if (this.#at !== end) this.fail(`${what}: a packed value crosses the field's end`);
  }

  #expect(wire: number, what: string): void {
    if (this.#wire !== wire) this.fail(`${what} has wire type ${this.#wire}, expected ${wire}`);
  }

  #spend(what: string): void {
    if (this.#budget.messages-- <= 0) this.fail(`${what}: too many messages in one file`);
  }

  #span(what: string, pass = true): [number, number] {
    const length = this.#varint32(`the length of ${what}`);
    const start = this.#at;
    const end = start + length;
    if (end > this.#end) this.fail(`${what} claims ${length} bytes, ${this.#end - start} are left`);
    if (pass) this.#at = end;
    return [start, end];
  }

  #fixed(width: number, what: string, read: (at: number) => number): number {
    const at = this.#at;
    if (at + width > this.#end) this.fail(`${what} is cut off`);
    this.#at += width;
    return read(at);
  }

  #varint32(what: string): number {
    const value = this.#varint64(what);
    if (value < 0n || value > 0xffffffffn) this.fail(`${what} is ${value}`);
    return Number(value);
  }

  #varint64(what: string): bigint {
    let low = 0; // the first four bytes hold 28 bits: plain numbers suffice for nearly every varint
    for (let index = 0; index < 4; index++) {
      const byte = this.#byte(what);
      low |= (byte & 0x7f) << (7 * index);
      if (byte < 0x80) return BigInt(low);
    }
    let value = BigInt(low);
    for (let index = 4; index < 10; index++) {
      const byte = this.#byte(what);
      value |= BigInt(byte & 0x7f) << BigInt(7 * index);
      if (byte < 0x80) return BigInt.asIntN(64, value);
    }
    return this.fail(`${what}: a varint of more than ten bytes`);
  }

  #byte(what: string): number {
    const byte = this.#at < this.#end ? this.#bytes[this.#at] : undefined;
    if (byte === undefined) return this.fail(`${what} is cut off`);
    this.#at += 1;
    return byte;
  }
}
