/** Artifacts in R2: immutable, named by their sha256, verified again before they run. */
import { sha256Hex } from './digest.ts';
import type { R2Bucket } from './env.ts';
import { HttpError, refuse, unavailable } from './errors.ts';

/** What an isolate's heap carries next to others; larger networks are refused when the experiment is created. */
export const MAX_ARTIFACT_BYTES = 24 * 2 ** 20;

/** The only place that builds an artifact's key. */
export function artifactKey(digest: string): string {
  return `artifacts/${digest}.onnx`;
}

/** The artifact's bytes, of the right sha256. @throws HttpError 503 when they are absent or damaged. */
export async function fetchArtifact(bucket: R2Bucket, digest: string): Promise<Uint8Array> {
  const object = await bucket.get(artifactKey(digest));
  if (!object) throw new HttpError(unavailable('ARTIFACT_MISSING', `artifact ${digest} is not at the edge yet`));
  if (object.size > MAX_ARTIFACT_BYTES) {
    await object.body.cancel();
    throw new HttpError(unavailable('ARTIFACT_TOO_LARGE', `artifact ${digest} has ${object.size} bytes`));
  }
  const bytes = new Uint8Array(await object.arrayBuffer());
  const actual = await sha256Hex(bytes);
  if (actual !== digest) {
    await bucket.delete(artifactKey(digest)); // the API asks whether it is here, and then pushes it again
    throw new HttpError(unavailable('ARTIFACT_DAMAGED', `artifact ${digest} has the sha256 ${actual}: push it again`));
  }
  return bytes;
}

/** Stores a stream under its digest; R2 itself refuses other bytes. @throws HttpError 422 DIGEST_MISMATCH. */
export async function storeArtifact(bucket: R2Bucket, digest: string, body: ReadableStream): Promise<void> {
  try {
    await bucket.put(artifactKey(digest), body, { sha256: digest });
  } catch (error) {
    if (error instanceof Error && /sha-?256|checksum|10037/i.test(error.message))
      throw refuse(422, 'DIGEST_MISMATCH', `the body's sha256 is not ${digest}`);
    throw error;
  }
}
