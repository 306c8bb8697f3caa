/** A stand-in for the edge's admin door: verifies every signature, keeps what was pushed, can be made to fail. */
import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PUSH_HEADERS, PUSH_WINDOW_SECONDS, pushPayload, Route } from '@anneal/edge/contract';

export interface EdgeDoor {
  url: string;
  adminSecret: string;
  /** Routes in the order in which they were accepted. */
  routes: Route[];
  artifacts: Map<string, Uint8Array>;
  /** "METHOD path status" of every request. */
  requests: string[];
  /** Status that the next requests get instead of an answer; 'hang' = none at all. */
  failWith?: number | 'hang' | undefined;
  /** Resolves with the route once the endpoint has that revision (or a newer one). */
  served(endpoint: string, revision: number): Promise<Route>;
  close(): Promise<void>;
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Starts it. */
export async function startEdgeDoor(adminSecret = 'secret of the edge door'): Promise<EdgeDoor> {
  const waiting = new Set<() => void>();
  const routes: Route[] = [];
  const newest = (endpoint: string) => routes.findLast((route) => route.endpoint === endpoint);
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const status = door.failWith ?? answer(request, new Uint8Array(Buffer.concat(chunks)));
    door.requests.push(`${request.method} ${request.url} ${status}`);
    if (status === 'hang') return;
    response.writeHead(status).end();
    for (const check of waiting) check();
  });
  const answer = (request: IncomingMessage, body: Uint8Array): number => {
    const path = request.url ?? '';
    if (!signatureHolds(request, body, adminSecret)) return 401;
    const [, digest = ''] = /^\/admin\/artifacts\/([0-9a-f]{64})$/.exec(path) ?? [];
    if (digest && request.method === 'HEAD') return door.artifacts.has(digest) ? 200 : 404;
    if (digest && request.method === 'PUT') {
      if (sha256(body) !== digest) return 400;
      door.artifacts.set(digest, body);
      return 201;
    }
    if (request.method !== 'PUT' || !path.startsWith('/admin/routes/')) return 404;
    const route = Route.parse(JSON.parse(new TextDecoder().decode(body)));
    if (path !== `/admin/routes/${route.endpoint}`) return 400;
    if (Number(request.headers[PUSH_HEADERS.revision]) !== route.revision) return 400;
    if ((newest(route.endpoint)?.revision ?? 0) > route.revision) return 409;
    if (route.variants.some((variant) => !door.artifacts.has(variant.manifest.artifact.digest))) return 422;
    routes.push(route);
    return 200;
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const door: EdgeDoor = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, // a TCP server's address
    adminSecret,
    routes,
    artifacts: new Map(),
    requests: [],
    served: (endpoint, revision) =>
      new Promise((resolve) => {
        const check = () => {
          const route = newest(endpoint);
          if (!route || route.revision < revision) return;
          waiting.delete(check);
          resolve(route);
        };
        waiting.add(check);
        check();
      }),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return door;
}

function signatureHolds(request: IncomingMessage, body: Uint8Array, secret: string): boolean {
  const time = Number(request.headers[PUSH_HEADERS.time]);
  if (Math.abs(Date.now() / 1000 - time) > PUSH_WINDOW_SECONDS) return false;
  const path = request.url ?? '';
  const payload = pushPayload({
    method: request.method ?? '',
    path,
    // of a route the body, of an artifact its name: a HEAD has no body and names what it asks for by the path
    digest: sha256(body),
    revision: Number(request.headers[PUSH_HEADERS.revision]),
    time,
  });
  return createHmac('sha256', secret).update(payload).digest('hex') === request.headers[PUSH_HEADERS.signature];
}
