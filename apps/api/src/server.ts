/** The API's server: the doors in the order in which they are asked. */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import path from 'node:path';
import type { GraphQLSchema } from 'graphql';
import type { Caller } from './context.ts';
import type { Deps } from './deps.ts';
import { authenticate } from './domain/auth.ts';
import { blobDoor, uploadDoor } from './http/blobs.ts';
import { createConsole } from './http/console.ts';
import { type Door, refuse, webDoor } from './http/door.ts';
import { graphqlDoor } from './http/graphql.ts';
import { healthDoor } from './http/health.ts';
import { predictionEventsDoor } from './http/prediction-events.ts';
import { hostAllowed, madeByOwnPage, type Sessions } from './http/session.ts';
import type { urlSigner } from './http/signing.ts';

const CONSOLE_FOLDER = path.resolve(import.meta.dirname, '../dist/console');
/** Up to 500 events of up to 1,000 predictions each. */
const MAX_EVENT_BYTES = 32 << 20;
const REQUEST_ID = /^[\w.:-]{1,128}$/;

export interface ServerOptions {
  deps: Deps;
  schema: GraphQLSchema;
  signer: ReturnType<typeof urlSigner>;
  sessions: Sessions;
  /** Whom a console session stands for. */
  consoleCaller: Caller;
  /** Bound to loopback: then anybody who reaches it may introspect. */
  loopback: boolean;
  allowedHosts: readonly string[];
}

/** A door, whom it lets in, and a path that leads to it (by which a test knocks at every one). */
export interface Route {
  example: string;
  /** SIGNED: the URL itself is the permission. PAGE: static files under a name that is ours. */
  access: 'ANYBODY' | 'SIGNED' | 'PAGE' | 'KEY';
  door: Door;
}

/** All doors in the order in which they are asked. */
export function routes(options: ServerOptions): Route[] {
  const { deps, signer, sessions } = options;
  const consoleDoor = createConsole({ folder: CONSOLE_FOLDER });
  const page = async (request: Request) => sessions.answerLink(request) ?? (await consoleDoor(request));
  const events = { path: /^\/internal\/prediction-events$/, maxBytes: MAX_EVENT_BYTES };
  const graphql = graphqlDoor({
    deps,
    schema: options.schema,
    introspection: options.loopback ? 'ANYBODY' : 'KEYS',
    callerOf: (request) => callerOf(options, request),
  });
  const id = '00000000-0000-0000-0000-000000000000';
  return [
    { example: '/healthz', access: 'ANYBODY', door: healthDoor(deps) },
    { example: `/uploads/${id}`, access: 'SIGNED', door: uploadDoor(deps, signer) },
    { example: `/blobs/${'0'.repeat(64)}`, access: 'SIGNED', door: blobDoor(deps, signer) },
    { example: '/internal/prediction-events', access: 'KEY', door: webDoor(predictionEventsDoor(deps), events) },
    // from here on a browser may come without a key
    { example: '/', access: 'PAGE', door: hostDoor(options.allowedHosts) },
    { example: '/graphiql/', access: 'PAGE', door: webDoor(page, { path: /^\/(graphiql(\/.*)?)?$/, maxBytes: 1024 }) },
    { example: '/graphql', access: 'KEY', door: graphql },
  ];
}

/** Makes the server; the caller listens and closes. */
export function createApiServer(options: ServerOptions): Server {
  const nothing: Door = ({ response, url }) =>
    refuse(response, 404, 'NOT_FOUND', `there is nothing at ${url.pathname}`);
  const doors = [...routes(options).map((route) => route.door), nothing];
  return createServer((request, response) => void answer(options.deps, doors, request, response));
}

/** A key in the header decides; without one, a console session stands for the local installation's admin. */
async function callerOf(options: ServerOptions, request: IncomingMessage): Promise<Caller> {
  const { authorization, cookie } = request.headers;
  const fromConsole = authorization === undefined && madeByOwnPage(request.headers);
  if (fromConsole && options.sessions.authenticate(cookie)) return options.consoleCaller;
  return await authenticate(options.deps, authorization);
}

/** Against DNS rebinding: who brings no key must call us by a name that we know. */
function hostDoor(allowedHosts: readonly string[]): Door {
  return ({ request, response }) => {
    if (request.headers.authorization !== undefined || hostAllowed(request.headers.host, allowedHosts)) return false;
    return refuse(response, 421, 'MISDIRECTED', 'this name is not one of ours: see ALLOWED_HOSTS in docs/deploy.md');
  };
}

async function answer(deps: Deps, doors: Door[], request: IncomingMessage, response: ServerResponse): Promise<void> {
  const started = performance.now();
  const given = request.headers['x-request-id'];
  const requestId = typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
  response.setHeader('x-request-id', requestId);
  const path = (request.url ?? '/').split('?')[0]; // the query may hold a signature or a token
  try {
    const url = new URL(request.url ?? '/', 'http://api');
    for (const door of doors) if (await door({ request, response, url, requestId })) break;
  } catch (e) {
    deps.log.error('request failed', { requestId, path, error: e instanceof Error ? e.stack : String(e) });
    if (!response.headersSent) refuse(response, 500, 'INTERNAL', `unexpected error; the log has it under ${requestId}`);
    else response.destroy();
  } finally {
    const ms = Math.round((performance.now() - started) * 10) / 10;
    deps.log.info('request', { requestId, method: request.method, path, status: response.statusCode, ms });
  }
}
