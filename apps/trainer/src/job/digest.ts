/** sha256 in lower-case hex, as every digest in the system is written. */
import { createHash } from 'node:crypto';

/** The digest of bytes, or of a text's UTF-8. */
export function sha256(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex');
}
