/**
 * The router: a request in, a response out, one log line each. Made of named parts; sees no binding of the platform.
 */
import type { AdminDoor } from './admin.ts';
import { discardBody } from './body.ts';
import type { Pin, SessionCache } from './engine/index.ts';
import { errorResponse, HttpError, refusalOf, refuse } from './errors.ts';
import { health } from './health.ts';
import { type Log, reason } from './log.ts';
import { predictPlain } from './protocol/plain.ts';
import type { Call, Serve } from './serve.ts';

export interface HandlerParts {
  serve: Serve;
  admin: AdminDoor;
  sessions: SessionCache;
  log: Log;
}

/** Answers a request; `pin` is ctx.waitUntil. */
export type Handler = (request: Request, pin: Pin) => Promise<Response>;

interface Place {
  methods: string[];
  path: RegExp;
  answer(parts: HandlerParts, request: Request, name: string, call: Call): Promise<Response> | Response;
}

const PLACES: Place[] = [
  {
    methods: ['POST'],
    path: /^\/v1\/endpoints\/([^/]+)\/predict$/,
    answer: ({ serve }, request, endpoint, call) => predictPlain(serve, request, endpoint, call),
  },
  { methods: ['GET', 'HEAD'], path: /^\/healthz$/, answer: ({ sessions }) => health(sessions) },
  {
    methods: ['PUT', 'GET', 'HEAD'],
    path: /^\/admin\/artifacts\/([^/]+)$/,
    answer: ({ admin }, request, digest) => admin.artifact(request, digest),
  },
  {
    methods: ['PUT'],
    path: /^\/admin\/routes\/([^/]+)$/,
    answer: ({ admin }, request, endpoint, call) => admin.route(request, endpoint, call.pin),
  },
];

/** The edge's fetch handler. */
export function createHandler(parts: HandlerParts): Handler {
  return async (request, pin) => {
    const call: Call = { requestId: requestIdOf(request), pin, started: performance.now() };
    let failure: { code: string; reason?: string } | undefined;
    let response: Response;
    try {
      response = await dispatch(parts, request, call);
    } catch (error) {
      const refusal = refusalOf(error, call.requestId);
      failure = { code: refusal.code, ...(error instanceof HttpError ? {} : { reason: reason(error) }) };
      response = errorResponse(refusal);
      await discardBody(request).catch(() => {}); // the client is gone
    }
    response.headers.set('x-request-id', call.requestId);
    parts.log(response.status >= 500 ? 'error' : 'info', 'request', {
      requestId: call.requestId,
      method: request.method,
      path: new URL(request.url).pathname,
      status: response.status,
      durationMs: Math.round((performance.now() - call.started) * 1000) / 1000,
      ...failure,
    });
    return response;
  };
}

async function dispatch(parts: HandlerParts, request: Request, call: Call): Promise<Response> {
  const { pathname } = new URL(request.url);
  for (const { methods, path, answer } of PLACES) {
    const match = path.exec(pathname);
    if (!match) continue;
    if (methods.includes(request.method)) return answer(parts, request, match[1] ?? '', call);
    throw new HttpError({
      status: 405,
      code: 'METHOD_NOT_ALLOWED',
      message: `expected ${methods.join(' or ')}, got ${request.method}`,
      headers: { allow: methods.join(', ') },
    });
  }
  throw refuse(404, 'NOT_FOUND', 'expected POST /v1/endpoints/{endpoint}/predict or GET /healthz');
}

/** The caller's id when it is a tame one, so that one id follows a request through all logs. */
function requestIdOf(request: Request): string {
  const given = request.headers.get('x-request-id') ?? '';
  return /^[\w.:-]{1,128}$/.test(given) ? given : crypto.randomUUID();
}
