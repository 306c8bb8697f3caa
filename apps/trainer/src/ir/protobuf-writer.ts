/** Writes the protobuf wire format, as much as ONNX needs. Knows no message type. */

/** Wire types of protobuf; groups (3, 4) have been obsolete since before ONNX existed. */
export const WIRE = { VARINT: 0, FIXED64: 1, BYTES: 2, FIXED32: 5 } as const;

const utf8 = new TextEncoder();

/** Byte fields above this are not copied until `finish`. */
const LARGE = 1024;

/**
 * Appends fields to one buffer; `finish` joins it with the large byte fields, which are kept by reference until then. A
 * nested message is written in place and moved by the few bytes of its length when that is known.
 */
export class Writer {
  #buffer = new Uint8Array(1024);
  #view = new DataView(this.#buffer.buffer);
  #used = 0;
  /** Large byte fields and where in the buffer they belong. */
  readonly #large: { at: number; readonly bytes: Uint8Array }[] = [];
  #largeBytes = 0;

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
    this.#tag(field, WIRE.BYTES);
    // Names are short and ASCII: then characters are bytes and their number is known beforehand.
    const start = this.#used;
    this.varint(value.length);
    this.#reserve(value.length);
    for (let at = 0; at < value.length; at++) {
      const code = value.charCodeAt(at);
      if (code > 0x7f) {
        this.#used = start;
        return this.#bytes(utf8.encode(value));
      }
      this.#buffer[this.#used++] = code;
    }
    return this;
  }

  /** A bytes field. */
  bytes(field: number, value: Uint8Array): this {
    this.#tag(field, WIRE.BYTES);
    return this.#bytes(value);
  }

  /** A nested message: whatever `write` appends, preceded by its length. */
  message(field: number, write: (inner: Writer) => void): this {
    this.#tag(field, WIRE.BYTES);
    const start = this.#used;
    const [large, largeBytes] = [this.#large.length, this.#largeBytes];
    write(this);
    const end = this.#used;
    const length = end - start + this.#largeBytes - largeBytes;
    // The varint goes behind the message first, which tells its width; then the two change places.
    this.varint(length);
    const width = this.#used - end;
    const prefix = this.#buffer.slice(end, this.#used);
    this.#buffer.copyWithin(start + width, start, end);
    this.#buffer.set(prefix, start);
    for (let index = large; index < this.#large.length; index++) {
      const one = this.#large[index];
      if (one) one.at += width;
    }
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
    const joined = new Uint8Array(this.#used + this.#largeBytes);
    let from = 0;
    let to = 0;
    for (const { at, bytes } of this.#large) {
      joined.set(this.#buffer.subarray(from, at), to);
      joined.set(bytes, to + at - from);
      to += at - from + bytes.byteLength;
      from = at;
    }
    joined.set(this.#buffer.subarray(from, this.#used), to);
    return joined;
  }

  #bytes(value: Uint8Array): this {
    this.varint(value.byteLength);
    if (value.byteLength > LARGE) {
      this.#large.push({ at: this.#used, bytes: value });
      this.#largeBytes += value.byteLength;
    } else {
      this.#reserve(value.byteLength);
      this.#buffer.set(value, this.#used);
      this.#used += value.byteLength;
    }
    return this;
  }

  #tag(field: number, wire: number): void {
    this.varint(field * 8 + wire);
  }

  #reserve(bytes: number): void {
    if (this.#used + bytes <= this.#buffer.byteLength) return;
    const grown = new Uint8Array(Math.max(this.#buffer.byteLength * 2, this.#used + bytes));
    grown.set(this.#buffer.subarray(0, this.#used));
    this.#buffer = grown;
    this.#view = new DataView(grown.buffer);
  }
}
