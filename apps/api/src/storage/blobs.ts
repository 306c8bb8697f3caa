/**
 * Content-addressed blobs in a folder: <root>/<2 hex>/<sha256>. Written aside and renamed, so a blob is whole or
 * absent.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { BlobStore } from '../deps.ts';

/** The bytes are more than was allowed; nothing was kept. */
export class BlobTooLarge extends Error {
  readonly maxBytes: number;
  constructor(maxBytes: number) {
    super(`more than the allowed ${maxBytes} bytes`);
    this.maxBytes = maxBytes;
  }
}
/** No blob of that digest is here. */
export class BlobMissing extends Error {}
/** The bytes on disk do not have the digest that names them. */
export class BlobCorrupt extends Error {}

const DIGEST = /^[0-9a-f]{64}$/;

/** The one place that turns a digest into a path. @throws BlobMissing for anything that is not a digest. */
function blobPath(root: string, digest: string): string {
  if (!DIGEST.test(digest)) throw new BlobMissing(`not a sha256: ${JSON.stringify(digest)}`);
  return path.join(root, digest.slice(0, 2), digest);
}

/** Blobs in a folder on this machine. */
export function folderBlobs(root: string): BlobStore {
  const blobs: BlobStore = {
    async put(source, { maxBytes }) {
      const hash = createHash('sha256');
      let byteLength = 0;
      const half = path.join(root, 'incoming', randomUUID());
      await mkdir(path.dirname(half), { recursive: true });
      async function* measured() {
        for await (const chunk of source) {
          byteLength += chunk.byteLength;
          if (byteLength > maxBytes) throw new BlobTooLarge(maxBytes);
          hash.update(chunk);
          yield chunk;
        }
      }
      try {
        await pipeline(measured, createWriteStream(half, { flush: true }));
        const digest = hash.digest('hex');
        const target = blobPath(root, digest);
        await mkdir(path.dirname(target), { recursive: true });
        await rename(half, target);
        return { digest, byteLength };
      } catch (e) {
        await rm(half, { force: true });
        throw e;
      }
    },
    async stat(digest) {
      if (!DIGEST.test(digest)) return undefined;
      const found = await stat(blobPath(root, digest)).catch(() => undefined);
      return found && { byteLength: found.size };
    },
    async open(digest) {
      if (!(await blobs.stat(digest))) throw new BlobMissing(`no blob ${digest}`);
      return createReadStream(blobPath(root, digest));
    },
    async read(digest) {
      if (!(await blobs.stat(digest))) throw new BlobMissing(`no blob ${digest}`);
      const bytes = await readFile(blobPath(root, digest));
      const found = createHash('sha256').update(bytes).digest('hex');
      if (found !== digest) throw new BlobCorrupt(`blob ${digest} holds bytes of sha256 ${found}`);
      return bytes;
    },
    async file(digest) {
      if (!(await blobs.stat(digest))) throw new BlobMissing(`no blob ${digest}`);
      return { path: blobPath(root, digest), release: async () => {} };
    },
  };
  return blobs;
}
