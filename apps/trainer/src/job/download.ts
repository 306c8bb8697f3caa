/** Bytes by URL, with a sign of life for every piece and the digest verified before anyone reads them. */
import { createHash } from 'node:crypto';
import type { Api } from '../worker/api.ts';

/** Generous: a table of gigabytes over a slow line; a stalled one is noticed by the missing signs of life. */
const TIMEOUT_MS = 3_600_000;

/**
 * Fetches a URL that the API signed. `digest` null: the content carries a check of its own. @throws Error on other
 * bytes.
 */
export async function download(
  api: Api,
  url: string,
  digest: string | null,
  beat: () => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const response = await api.http(url, {}, { timeoutMs: TIMEOUT_MS });
  const hash = createHash('sha256');
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of response.body ?? []) {
    hash.update(piece);
    pieces.push(piece);
    length += piece.byteLength;
    beat();
  }
  const found = hash.digest('hex');
  if (digest !== null && found !== digest)
    throw new Error(`${new URL(url, api.url).pathname}: expected sha256 ${digest}, got ${found} (${length} bytes)`);
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.byteLength;
  }
  return bytes;
}
