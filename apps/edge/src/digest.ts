/** sha256 and UUIDs by Web Crypto. */

/** sha256 in lower-case hex. */
export async function sha256Hex(data: Uint8Array<ArrayBuffer> | string): Promise<string> {
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
  return hex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)));
}

/** Bytes in lower-case hex. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The bytes that a hex text writes, or undefined when it is none. */
export function fromHex(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^(?:[0-9a-f]{2})*$/.test(text)) return undefined;
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
/** Random bytes for the next ids: asking for 10 costs as much as asking for all. */
const random = new Uint8Array(4_000);
let used = random.length;

/** A UUID that sorts by its time (RFC 9562, version 7). */
export function uuidv7(now: number): string {
  if (used === random.length) {
    crypto.getRandomValues(random);
    used = 0;
  }
  const time = now.toString(16).padStart(12, '0');
  const hex = (at: number) => HEX[random[used + at] ?? 0] ?? '';
  const variant = HEX[0x80 | ((random[used + 2] ?? 0) & 0x3f)] ?? '';
  const group = `${variant}${hex(3)}`;
  const version = `7${hex(0).slice(1)}${hex(1)}`;
  const node = `${hex(4)}${hex(5)}${hex(6)}${hex(7)}${hex(8)}${hex(9)}`;
  used += 10;
  return `${time.slice(0, 8)}-${time.slice(8)}-${version}-${group}-${node}`;
}
