/**
 * The router: a request in, a response out, one log line each. Made of named parts; sees no binding of the platform.
 */
import { discardBody } from './body.ts';
import type { Pin } from './engine/index.ts';
import { errorResponse, HttpError, refusalOf, refuse, v2ErrorResponse } from './errors.ts';
import { type Log, reason } from './log.ts';
import { type PlaceParts, placeOf } from './places.ts';
import type { Call } from './serve.ts';

export interface HandlerParts extends PlaceParts {
  log: Log;
}

/** Answers a request; `pin` is ctx.waitUntil. */
export type Handler = (request: Request, pin: Pin) => Promise<Response>;

/** The edge's fetch handler. */
export function createHandler(parts: HandlerParts): Handler {
  return async (request, pin) => {
    const call: Call = { requestId: requestIdOf(request), pin, started: performance.now() };
    let failure: { code: string; reason?: string } | undefined;
    let response: Response;
    const { pathname } = new URL(request.url);
    try {
      response = await dispatch(parts, request, pathname, call);
    } catch (error) {
      const refusal = refusalOf(error, call.requestId);
      failure = { code: refusal.code, ...(error instanceof HttpError ? {} : { reason: reason(error) }) };
      response = /^\/v2(\/|$)/.test(pathname) ? v2ErrorResponse(refusal) : errorResponse(refusal);
      await discardBody(request).catch(() => {}); // the client is gone
    }
    response.headers.set('x-request-id', call.requestId);
    parts.log(response.status >= 500 ? 'error' : 'info', 'request', {
      requestId: call.requestId,
      method: request.method,
      path: pathname,
      status: response.status,
      durationMs: Math.round((performance.now() - call.started) * 1000) / 1000,
      ...failure,
    });
    return response;
  };
}

async function dispatch(parts: HandlerParts, request: Request, pathname: string, call: Call): Promise<Response> {
  const found = placeOf(pathname);
  if (!found)
    throw refuse(404, 'NOT_FOUND', `nothing is at ${pathname.slice(0, 200)}: GET /openapi.json lists what is`);
  const { methods, answer } = found.place;
  if (methods.includes(request.method)) return answer(parts, request, found.names, call);
  throw new HttpError({
    status: 405,
    code: 'METHOD_NOT_ALLOWED',
    message: `expected ${methods.join(' or ')}, got ${request.method}`,
    headers: { allow: methods.join(', ') },
  });
}

/** The caller's id when it is a tame one, so that one id follows a request through all logs. */
function requestIdOf(request: Request): string {
  const given = request.headers.get('x-request-id') ?? '';
  return /^[\w.:-]{1,128}$/.test(given) ? given : crypto.randomUUID();
}
