/**
 * The byte doors beside GraphQL: PUT /uploads/{id} in, GET /blobs/{digest} out. Signed URLs, streams, constant memory.
 */
import { pipeline } from 'node:stream/promises';
import type { Deps } from '../deps.ts';
import { completeUpload, findUpload } from '../domain/upload.ts';
import { BlobTooLarge } from '../storage/blobs.ts';
import { type Door, type Exchange, refuse, sendJson } from './door.ts';
import type { urlSigner } from './signing.ts';

type Signer = ReturnType<typeof urlSigner>;

const UPLOAD = /^\/uploads\/([0-9a-f-]{36})$/;
const BLOB = /^\/blobs\/([0-9a-f]{64})$/;

/** Takes the staged file in; the same URL may be PUT again until the bytes are complete. */
export function uploadDoor(deps: Deps, signer: Signer): Door {
  return async (exchange) => {
    const { request, response, url } = exchange;
    const id = UPLOAD.exec(url.pathname)?.[1];
    if (!id) return false;
    if (request.method !== 'PUT') return refuse(response, 405, 'METHOD_NOT_ALLOWED', 'an upload is a PUT');
    const refusal = signer.refusal('PUT', url);
    if (refusal) return refuse(response, 403, 'FORBIDDEN', refusal);
    return await takeIn(deps, exchange, id);
  };
}

async function takeIn(deps: Deps, { request, response }: Exchange, id: string): Promise<true> {
  const upload = await findUpload(deps, id);
  if (!upload) return refuse(response, 404, 'NOT_FOUND', 'no such upload: stage it first');
  const expected = Number(upload.byteLength);
  const wrongLength = (got: string) =>
    refuse(
      response,
      400,
      'WRONG_LENGTH',
      `staged with byteLength ${expected}, got ${got}: stage it with its true size`,
    );
  const announced = request.headers['content-length'];
  if (announced !== undefined && Number(announced) !== expected) {
    response.setHeader('connection', 'close'); // the rest of the body is not worth reading
    return wrongLength(`${announced} bytes`);
  }
  try {
    const stored = await deps.blobs.put(request, { maxBytes: expected });
    if (stored.byteLength !== expected) return wrongLength(`${stored.byteLength} bytes`);
    await completeUpload(deps, id, stored);
    return sendJson(response, 200, { digest: stored.digest, byteLength: stored.byteLength });
  } catch (e) {
    if (e instanceof BlobTooLarge) return wrongLength('more');
    if (request.destroyed && !request.complete) return true; // the client went away: nobody to answer
    throw e;
  }
}

/** Gives bytes out by digest; they never change, so clients may keep them for ever. */
export function blobDoor(deps: Deps, signer: Signer): Door {
  return async ({ request, response, url }) => {
    const digest = BLOB.exec(url.pathname)?.[1];
    if (!digest) return false;
    if (request.method !== 'GET') return refuse(response, 405, 'METHOD_NOT_ALLOWED', 'a blob is read by GET');
    const refusal = signer.refusal('GET', url);
    if (refusal) return refuse(response, 403, 'FORBIDDEN', refusal);
    const found = await deps.blobs.stat(digest);
    if (!found) return refuse(response, 404, 'NOT_FOUND', 'no such blob');
    response.writeHead(200, {
      'content-type': 'application/octet-stream',
      'content-length': found.byteLength,
      'cache-control': 'private, immutable, max-age=31536000',
      etag: `"${digest}"`,
    });
    await pipeline(await deps.blobs.open(digest), response);
    return true;
  };
}
