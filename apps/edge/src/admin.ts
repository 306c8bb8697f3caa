/**
 * The admin door: the API's signed pushes of artifacts and routes. Knows no API key; who signs with the shared secret
 * may push.
 *   PUT      /admin/artifacts/{digest}   the bytes; 200 {digest}
 *   GET|HEAD /admin/artifacts/{digest}   is it here? 200 {digest, byteLength} or 404, so that a push can be skipped
 *   PUT      /admin/routes/{endpoint}    a Route; 200 {revision} once it is warm and effective here
 */
import { artifactKey, MAX_ARTIFACT_BYTES, storeArtifact } from './artifact.ts';
import { parseJson, readBody } from './body.ts';
import { Digest, PUSH_HEADERS, PUSH_WINDOW_SECONDS, pushPayload, Route } from './contract.ts';
import { fromHex, sha256Hex } from './digest.ts';
import type { Pin, SessionCache } from './engine/index.ts';
import type { R2Bucket } from './env.ts';
import { HttpError, refuse } from './errors.ts';
import type { RouteSource } from './route.ts';
import { warm } from './warm.ts';

export interface AdminDoor {
  /** PUT, GET or HEAD of /admin/artifacts/{digest}. */
  artifact(request: Request, digest: string): Promise<Response>;
  /** PUT of /admin/routes/{endpoint}. */
  route(request: Request, endpoint: string, pin: Pin): Promise<Response>;
}

export interface AdminParts {
  bucket: R2Bucket;
  routes: RouteSource;
  sessions: SessionCache;
  /** ADMIN_SECRET. */
  secret: string;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** The admin door over a bucket. */
export function createAdminDoor(parts: AdminParts): AdminDoor {
  return {
    async artifact(request, digest) {
      if (!Digest.safeParse(digest).success)
        throw refuse(404, 'NOT_FOUND', 'expected /admin/artifacts/{sha256 in lower-case hex}');
      return request.method === 'PUT' ? putArtifact(parts, request, digest) : findArtifact(parts, request, digest);
    },
    route: (request, endpoint, pin) => putRoute(parts, request, endpoint, pin),
  };
}

async function putArtifact({ bucket, secret, now }: AdminParts, request: Request, digest: string): Promise<Response> {
  await verify(request, { digest, secret, now: now() });
  const length = request.headers.get('content-length');
  if (length === null || !request.body)
    throw refuse(411, 'LENGTH_REQUIRED', 'expected a body and its content-length: storage needs to know it beforehand');
  if (Number(length) > MAX_ARTIFACT_BYTES)
    throw refuse(413, 'ARTIFACT_TOO_LARGE', `expected at most ${MAX_ARTIFACT_BYTES} bytes, got ${length}`);
  await storeArtifact(bucket, digest, request.body);
  return Response.json({ digest });
}

/** A GET or HEAD is signed with the digest of the empty body and revision 0. */
async function findArtifact({ bucket, secret, now }: AdminParts, request: Request, digest: string): Promise<Response> {
  await verify(request, { digest: await sha256Hex(''), secret, now: now() });
  const object = await bucket.head(artifactKey(digest));
  if (!object) throw refuse(404, 'NOT_FOUND', `artifact ${digest} is not here`);
  return Response.json({ digest, byteLength: object.size });
}

async function putRoute(parts: AdminParts, request: Request, endpoint: string, pin: Pin): Promise<Response> {
  const body = await readBody(request);
  const revision = await verify(request, { digest: await sha256Hex(body), secret: parts.secret, now: parts.now() });
  const parsed = Route.safeParse(parseJson(body));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw refuse(400, 'INVALID_ROUTE', issue?.message ?? 'not a route', issue?.path.join('.'));
  }
  const route = parsed.data;
  if (route.endpoint !== endpoint || route.revision !== revision) {
    const got = `${route.endpoint} at ${route.revision}`;
    throw refuse(400, 'INVALID_ROUTE', `expected what was signed, ${endpoint} at revision ${revision}, got ${got}`);
  }
  await parts.routes.store(route, () => warmAll(parts.sessions, route, pin));
  return Response.json({ revision: route.revision });
}

/** Loads every variant and shadow, so that the first request finds it warm. @throws HttpError when one cannot serve. */
async function warmAll(sessions: SessionCache, route: Route, pin: Pin): Promise<void> {
  for (const { manifest } of [...route.variants, ...route.shadows]) {
    const { digest, byteLength } = manifest.artifact;
    if (byteLength > MAX_ARTIFACT_BYTES)
      throw refuse(
        422,
        'ARTIFACT_TOO_LARGE',
        `expected an artifact of at most ${MAX_ARTIFACT_BYTES} bytes, got ${byteLength}`,
      );
    try {
      await warm(sessions, manifest, pin);
    } catch (error) {
      if (error instanceof HttpError && error.refusal.code === 'ARTIFACT_MISSING')
        throw refuse(409, 'ARTIFACT_MISSING', `artifact ${digest} is not here: push it before the route`);
      if (error instanceof HttpError) throw error;
      throw refuse(
        422,
        'ARTIFACT_INVALID',
        `artifact ${digest} does not run: ${error instanceof Error ? error.message : error}`,
      );
    }
  }
}

/**
 * Checks the signature over method, path, digest, revision and time. A replay within the window does no harm:
 * artifacts are immutable and an older revision is refused.
 * @returns the signed revision. @throws HttpError 401.
 */
async function verify(request: Request, signed: { digest: string; secret: string; now: number }): Promise<number> {
  const [time, revision, signature] = [PUSH_HEADERS.time, PUSH_HEADERS.revision, PUSH_HEADERS.signature].map(
    (name) => request.headers.get(name) ?? '',
  );
  const bytes = fromHex(signature ?? '');
  if (!isInteger(time) || !isInteger(revision) || !bytes)
    throw refuse(401, 'UNAUTHENTICATED', `expected the headers ${Object.values(PUSH_HEADERS).join(', ')}`);
  const seconds = Math.floor(signed.now / 1000);
  if (Math.abs(seconds - Number(time)) > PUSH_WINDOW_SECONDS)
    throw refuse(401, 'UNAUTHENTICATED', `signed at ${time}, but it is ${seconds} here: are the clocks right?`);
  const payload = pushPayload({
    method: request.method,
    path: new URL(request.url).pathname,
    digest: signed.digest,
    revision: Number(revision),
    time: Number(time),
  });
  const utf8 = new TextEncoder();
  const hmac = { name: 'HMAC', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('raw', utf8.encode(signed.secret), hmac, false, ['verify']);
  // Web Crypto compares in constant time.
  if (!(await crypto.subtle.verify('HMAC', key, bytes, utf8.encode(payload))))
    throw refuse(401, 'UNAUTHENTICATED', 'the signature does not fit the request');
  return Number(revision);
}

function isInteger(text: string | undefined): boolean {
  return /^\d{1,15}$/.test(text ?? '');
}
