/**
 * The router: a request in, a response out, a log line for each that failed. Made of named parts; sees no binding of
 * the platform.
 */
import { completeAnswer } from './answer.ts';
import { discardBody } from './body.ts';
import type { Cors } from './cors.ts';
import { uuidv7 } from './digest.ts';
import type { Pin } from './engine/index.ts';
import { errorResponse, HttpError, refusalOf, refuse, v2ErrorResponse } from './errors.ts';
import { type Log, reason } from './log.ts';
import { type PlaceParts, placeOf } from './places.ts';
import type { Call } from './serve.ts';

export interface HandlerParts extends PlaceParts {
  cors: Cors;
  log: Log;
  /** Whether requests are logged that did not fail: the line costs as much as the routing. */
  logRequests: boolean;
}

/** Answers a request; `pin` is ctx.waitUntil. */
export type Handler = (request: Request, pin: Pin) => Promise<Response>;

/** The caller's id is taken when it is a tame one, so that one id follows a request through all logs. */
const REQUEST_ID = /^[\w.:-]{1,128}$/;

type Found = NonNullable<ReturnType<typeof placeOf>>;

/** The edge's fetch handler. */
export function createHandler(parts: HandlerParts): Handler {
  return async (request, pin) => {
    const given = request.headers.get('x-request-id');
    const eventId = uuidv7(Date.now());
    const requestId = given !== null && REQUEST_ID.test(given) ? given : eventId;
    const headers = { 'x-request-id': requestId };
    const call: Call = { requestId, eventId, pin, started: performance.now(), headers };
    let failure: { code: string; reason?: string } | undefined;
    let response: Response;
    const pathname = pathnameOf(request.url);
    const found = placeOf(pathname);
    const endpoint = found && endpointOf(found);
    try {
      response = await dispatch(parts, request, { pathname, found, endpoint }, call);
    } catch (error) {
      const refusal = refusalOf(error, call.requestId);
      // What is the client's mistake tells of the client's data.
      failure = { code: refusal.code, ...(refusal.status >= 500 && { reason: reason(error) }) };
      response = /^\/v2(\/|$)/.test(pathname) ? v2ErrorResponse(refusal) : errorResponse(refusal);
      await discardBody(request).catch(() => {}); // the client is gone
    }
    completeAnswer(response, call);
    if (endpoint !== undefined && request.method !== 'OPTIONS') {
      const origin = request.headers.get('origin');
      if (origin !== null) await parts.cors.share(response, origin, endpoint, pin);
    }
    if (!parts.logRequests && response.status < 400) return response;
    parts.log(response.status >= 500 ? 'error' : 'info', 'request', {
      requestId: call.requestId,
      method: request.method,
      // Never what the client wrote: a path or a query may have a key in the wrong place.
      path: found?.path ?? 'unknown',
      ...(call.endpoint !== undefined && { endpoint: call.endpoint }),
      status: response.status,
      durationMs: Math.round((performance.now() - call.started) * 1000) / 1000,
      ...failure,
    });
    return response;
  };
}

async function dispatch(
  parts: HandlerParts,
  request: Request,
  { pathname, found, endpoint }: { pathname: string; found: Found | undefined; endpoint: string | undefined },
  call: Call,
): Promise<Response> {
  if (!found)
    throw refuse(404, 'NOT_FOUND', `nothing is at ${pathname.slice(0, 200)}: GET /openapi.json lists what is`);
  const { methods, answer } = found.place;
  if (methods.includes(request.method)) return answer(parts, request, found.names, call);
  if (request.method === 'OPTIONS' && endpoint !== undefined)
    return parts.cors.preflight(request, endpoint, methods, call.pin);
  throw new HttpError({
    status: 405,
    code: 'METHOD_NOT_ALLOWED',
    message: `expected ${methods.join(' or ')}, got ${request.method}`,
    headers: { allow: methods.join(', ') },
  });
}

/** The endpoint that a place for keys is about. */
function endpointOf({ place, names }: Found): string | undefined {
  return place.access === 'KEY' ? (names.endpoint ?? names.model) : undefined;
}

/** `new URL` without what nobody asks for; the platform has normalised the URL already. */
function pathnameOf(url: string): string {
  const path = url.indexOf('/', url.indexOf('://') + 3);
  const end = url.slice(path).search(/[?#]/);
  return path === -1 ? '/' : url.slice(path, end === -1 ? undefined : path + end);
}
