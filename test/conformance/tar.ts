/** The files in a .tar.gz, in memory: as much of the format as archives of plain files need. */
import { gunzipSync } from 'node:zlib';

const BLOCK = 512;

/** Path to contents of every plain file in the archive. */
export function untar(archive: Uint8Array): ReadonlyMap<string, Uint8Array> {
  const bytes = gunzipSync(archive);
  const files = new Map<string, Uint8Array>();
  let longName: string | undefined;
  for (let at = 0; at + BLOCK <= bytes.length && bytes[at] !== 0; ) {
    const header = bytes.subarray(at, at + BLOCK);
    const size = Number.parseInt(text(header, 124, 12).trim() || '0', 8);
    const kind = String.fromCharCode(header[156] ?? 0);
    const contents = bytes.subarray(at + BLOCK, at + BLOCK + size);
    const prefix = text(header, 345, 155);
    // A name of more than 100 bytes stands in front: GNU tar writes it as contents, POSIX as a record "30 path=...".
    if (kind === 'L') longName = text(contents, 0, size);
    else if (kind === 'x') longName = /^\d+ path=(.*)$/m.exec(text(contents, 0, size))?.[1];
    else {
      const name = longName ?? (prefix ? `${prefix}/` : '') + text(header, 0, 100);
      if (kind === '0' || kind === '\0') files.set(name.replace(/^\.\//, ''), contents);
      longName = undefined;
    }
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
  return files;
}

/** A field that ends at its first zero byte. */
function text(bytes: Uint8Array, at: number, length: number): string {
  const field = Buffer.from(bytes.subarray(at, at + length)).toString('utf8');
  return field.split('\0', 1)[0] ?? '';
}
