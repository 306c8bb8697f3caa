/** Request bodies within limits. */
import { type HttpError, refuse } from './errors.ts';

/** A thousand rows of a few hundred columns fit. */
export const MAX_BODY_BYTES = 8 * 2 ** 20;

/**
 * What is read of a body that nobody wants. Without it the connection closes under a client that is still sending,
 * which then sees a broken pipe in place of the reason.
 */
const MAX_DISCARDED_BYTES = 32 * 2 ** 20;

function limitOf(maxBytes: number | null | undefined): number {
  return Math.min(maxBytes ?? MAX_BODY_BYTES, MAX_BODY_BYTES);
}

const tooLarge = (limit: number) => refuse(413, 'BODY_TOO_LARGE', `expected a body of at most ${limit} bytes`);

/** What the request says of its body's length; null where it comes in chunks. @throws HttpError 413 */
function declaredLength({ headers }: Request, limit: number): number | null {
  const declared = headers.get('content-length');
  if (declared === null) return null;
  const length = Number(declared);
  if (length > limit) throw tooLarge(limit);
  return length;
}

/** The whole body. @throws HttpError 413 when it is longer than `maxBytes`, or than any may be. */
export async function readBody(request: Request, maxBytes?: number | null): Promise<Uint8Array<ArrayBuffer>> {
  const limit = limitOf(maxBytes);
  if (declaredLength(request, limit) !== null) return new Uint8Array(await request.arrayBuffer());
  let length = 0;
  const chunks: Uint8Array[] = [];
  for await (const chunk of chunksOf(request, MAX_DISCARDED_BYTES)) {
    length += chunk.byteLength;
    if (length <= limit) chunks.push(chunk);
  }
  if (length > limit) throw tooLarge(limit);
  const body = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.byteLength;
  }
  return body;
}

/** Reads the rest of a request whose answer is an error already. */
export async function discardBody(request: Request): Promise<void> {
  if (!request.body || request.bodyUsed) return;
  if (Number(request.headers.get('content-length') ?? 0) > MAX_DISCARDED_BYTES) return;
  for await (const _ of chunksOf(request, MAX_DISCARDED_BYTES));
}

/** The body's chunks; stops after the one that passes the limit. */
async function* chunksOf(request: Request, limit: number): AsyncGenerator<Uint8Array> {
  const reader = request.body?.getReader();
  let length = 0;
  for (let part = await reader?.read(); part?.value; part = await reader?.read()) {
    yield part.value;
    length += part.value.byteLength;
    if (length > limit) return reader?.cancel();
  }
}

/** The body as JSON. @throws HttpError 415, 413 or 400 INVALID_JSON. */
export async function readJson(request: Request, maxBytes?: number | null): Promise<unknown> {
  const type = request.headers.get('content-type') ?? '';
  if (type !== 'application/json' && !/^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(type))
    throw refuse(415, 'UNSUPPORTED_MEDIA_TYPE', `expected content-type application/json, got ${type || 'none'}`);
  const declared = declaredLength(request, limitOf(maxBytes));
  if (declared === null) return parseJson(await readBody(request, maxBytes));
  // As text in one go: an array of bytes and a decoder cost as much again.
  const text = await request.text();
  if (text.includes('\ufffd') && !isWhole(text, declared)) throw invalidJson('it is not UTF-8');
  return parseText(text);
}

/**
 * Whether a text with U+FFFD is what was sent. In place of bytes that are no UTF-8 it is longer than they are, but for
 * a character cut to three of four bytes: that one is taken for U+FFFD.
 */
function isWhole(text: string, byteLength: number): boolean {
  return new TextEncoder().encode(text).byteLength <= byteLength;
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** UTF-8 JSON. @throws HttpError 400 INVALID_JSON saying what is wrong. */
export function parseJson(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    throw invalidJson('it is not UTF-8');
  }
  return parseText(text);
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalidJson(error instanceof Error ? error.message : String(error));
  }
}

function invalidJson(why: string): HttpError {
  return refuse(400, 'INVALID_JSON', `expected a body of UTF-8 JSON: ${why}`);
}
