/**
 * CORS by endpoint: pages of the origins that its settings list may call it and read the answers, errors too. A
 * preflight needs no key, so it tells nothing: it is the same for an endpoint that is not there and for an origin that
 * is not listed.
 */
import { EndpointName } from './contract.ts';
import type { Pin } from './engine/index.ts';
import { HEADER_LENGTH } from './protocol/infer-request.ts';
import { REVISION_HEADER, VERSION_HEADER } from './protocol/version.ts';
import type { RouteSource } from './route.ts';

const MAX_AGE_SECONDS = 600;
const ALLOWED_HEADERS = ['authorization', 'content-type', HEADER_LENGTH, VERSION_HEADER, 'x-request-id'].join(', ');
const EXPOSED_HEADERS = [
  'x-request-id',
  REVISION_HEADER,
  HEADER_LENGTH,
  'ratelimit',
  'ratelimit-policy',
  'retry-after',
].join(', ');

export interface Cors {
  /** The answer to OPTIONS of an endpoint's place with these methods: 204. */
  preflight(request: Request, endpoint: string, methods: readonly string[], pin: Pin): Promise<Response>;
  /** Lets a page of this origin read an answer, where it is listed. */
  share(response: Response, origin: string, endpoint: string, pin: Pin): Promise<void>;
}

/** CORS of all endpoints. */
export function createCors({ routes }: { routes: Pick<RouteSource, 'get'> }): Cors {
  /** What Access-Control-Allow-Origin says, undefined where the origin is not listed. */
  const allowed = async (origin: string, endpoint: string, pin: Pin): Promise<string | undefined> => {
    if (!EndpointName.safeParse(endpoint).success) return undefined;
    // Without its route an endpoint has no settings; what is wrong with storage is the answer's to tell.
    const route = await routes.get(endpoint, pin).catch(() => undefined);
    const listed = route?.settings.cors ?? [];
    if (listed.includes('*')) return '*';
    return listed.some((one) => one.toLowerCase() === origin.toLowerCase()) ? origin : undefined;
  };
  return {
    async preflight(request, endpoint, methods, pin) {
      const headers = new Headers({ vary: 'origin' });
      const origin = request.headers.get('origin');
      const allow = origin === null ? undefined : await allowed(origin, endpoint, pin);
      if (allow !== undefined) {
        headers.set('access-control-allow-origin', allow);
        headers.set('access-control-allow-methods', methods.join(', '));
        headers.set('access-control-allow-headers', ALLOWED_HEADERS);
        headers.set('access-control-max-age', String(MAX_AGE_SECONDS));
      }
      return new Response(null, { status: 204, headers });
    },
    async share(response, origin, endpoint, pin) {
      response.headers.append('vary', 'origin');
      const allow = await allowed(origin, endpoint, pin);
      if (allow === undefined) return;
      response.headers.set('access-control-allow-origin', allow);
      response.headers.set('access-control-expose-headers', EXPOSED_HEADERS);
    },
  };
}
