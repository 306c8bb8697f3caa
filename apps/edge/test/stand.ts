/** A real edge (workerd through the host) and a tiny API that receives its events, for tests. */
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import {
  type Feedback,
  type PredictionEvent,
  PredictionEventBatch,
  type Sample,
  type Sketch,
} from '@anneal/api/contract';
import { PUSH_HEADERS, pushPayload, type Route } from '../src/contract.ts';
import { type EdgeHost, startEdge } from '../src/host/edge.ts';
import { sha256 } from './manifests.ts';

export const EDGE_KEY = 'edge-key-0123456789abcdef';
export const ADMIN_SECRET = 'admin-secret-0123456789abcdef';
/** A client's key, of scope read in every route of these tests. */
export const CLIENT_KEY = 'client-key-0123456789abcdef';
export const KEYS: Route['keys'] = [{ sha256: sha256(CLIENT_KEY), scopes: ['read'] }];

/** The API's side of the events: keeps what it accepts and calls whoever waits. */
export interface EventsApi {
  url: string;
  events: PredictionEvent[];
  feedback: Feedback[];
  sketches: Sketch[];
  samples: Sample[];
  /** Sizes of the batches that came, in order. */
  batches: number[];
  /** How many batches were not taken. */
  refusals: number;
  /** Status answered from now on; undefined = accept what is valid, 400 for the rest. */
  status: number | undefined;
  /** Event ids that make a batch invalid. */
  poison: Set<string>;
  /** Resolves when `events` satisfies the condition. */
  until(condition: (events: PredictionEvent[]) => boolean): Promise<void>;
  close(): Promise<void>;
}

/** Listens on `port`, 0 = any. */
export async function startEventsApi(port = 0): Promise<EventsApi> {
  const waiting = new Set<() => void>();
  const api: EventsApi = {
    url: '',
    events: [],
    feedback: [],
    sketches: [],
    samples: [],
    batches: [],
    refusals: 0,
    status: undefined,
    poison: new Set(),
    until: (condition) =>
      new Promise((resolve) => {
        const check = () => {
          if (!condition(api.events)) return;
          waiting.delete(check);
          resolve();
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
  const server = http.createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    response.statusCode = accept(api, request, text);
    if (response.statusCode !== 200) api.refusals++;
    response.end();
    for (const check of waiting) check();
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (!address || typeof address === 'string') throw new Error('no port');
  api.url = `http://127.0.0.1:${(address satisfies AddressInfo).port}`;
  return api;
}

function accept(api: EventsApi, request: http.IncomingMessage, text: string): number {
  if (request.headers.authorization !== `Bearer ${EDGE_KEY}`) return 401;
  if (request.method !== 'POST' || request.url !== '/internal/prediction-events') return 404;
  if (api.status !== undefined) return api.status;
  const batch = PredictionEventBatch.safeParse(JSON.parse(text));
  if (!batch.success || batch.data.events.some(({ id }) => api.poison.has(id))) return 400;
  api.batches.push(batch.data.events.length);
  const known = new Set([...api.events, ...api.feedback, ...api.sketches].map(({ id }) => id));
  for (const event of batch.data.events) {
    if (known.has(event.id) && !('rows' in event)) continue; // a sample has the id of its prediction event
    if (!('kind' in event)) api.events.push(event);
    else if (event.kind === 'FEEDBACK') api.feedback.push(event);
    else if (event.kind === 'SKETCH') api.sketches.push(event);
    else api.samples.push(event);
  }
  return 200;
}

export interface Stand {
  api: EventsApi;
  data: string;
  /** Lines of the Worker's log. */
  log: string[];
  url(): string;
  /** Stops workerd and starts it over the same data. */
  restart(): Promise<void>;
  /** Kills workerd with -9 and starts it over the same data. */
  crash(): Promise<void>;
  request(path: string, init?: RequestInit): Promise<Response>;
  predict(endpoint: string, body: unknown, headers?: Record<string, string>, signal?: AbortSignal): Promise<Response>;
  pushArtifact(bytes: Uint8Array, changes?: Partial<Signed>): Promise<Response>;
  pushRoute(route: Route, changes?: Partial<Signed>): Promise<Response>;
  close(): Promise<void>;
}

interface Signed {
  method: string;
  path: string;
  digest: string;
  revision: number;
  time: number;
  secret: string;
  /** Sent instead of what was signed. */
  body: Uint8Array | string;
}

/** Headers of a signed push. */
export function sign({ secret, ...payload }: Omit<Signed, 'body'>): Record<string, string> {
  return {
    [PUSH_HEADERS.time]: String(payload.time),
    [PUSH_HEADERS.revision]: String(payload.revision),
    [PUSH_HEADERS.signature]: createHmac('sha256', secret).update(pushPayload(payload)).digest('hex'),
  };
}

/** Starts an edge with an empty folder; `main` is another main module than the built Worker. */
export async function startStand(main?: string): Promise<Stand> {
  const api = await startEventsApi();
  const data = mkdtempSync(path.join(os.tmpdir(), 'anneal-edge-test-'));
  const log: string[] = [];
  const secrets = { edgeKey: EDGE_KEY, adminSecret: ADMIN_SECRET };
  const start = () =>
    startEdge(
      {
        ...{ apiUrl: api.url, ...secrets, host: '127.0.0.1', port: 0, data },
        ...{ logRequests: 'ALL', onLog: (line) => log.push(line) },
      },
      main,
    );
  let edge: EdgeHost = await start();
  const url = () => edge.url;
  const stand: Stand = {
    api,
    data,
    log,
    url,
    restart: async () => {
      await edge.stop();
      edge = await start();
    },
    crash: async () => {
      for (const pid of workerds()) process.kill(pid, 'SIGKILL');
      await edge.stop().catch(() => {}); // it has ended already
      edge = await start();
    },
    request: (path, init) => fetch(url() + path, init),
    predict: (endpoint, body, headers, signal) =>
      fetch(`${url()}/v1/endpoints/${endpoint}/predict`, {
        method: 'POST',
        headers: { authorization: `Bearer ${CLIENT_KEY}`, 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
        ...(signal && { signal }),
      }),
    ...pushes(url),
    close: async () => {
      await edge.stop();
      await stand.api.close();
      rmSync(data, { recursive: true, force: true });
    },
  };
  return stand;
}

/** The workerd processes that this process started; a file of tests has one stand. */
function workerds(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const [, parent] = /^\d+ \(workerd\) \S (\d+) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
        return Number(parent) === process.pid ? [Number(pid)] : [];
      } catch {
        return []; // ended meanwhile
      }
    });
}

/** Signed pushes as the API makes them, with whatever is changed in them. */
export function pushes(url: () => string): Pick<Stand, 'pushArtifact' | 'pushRoute'> {
  const send = (signed: Signed) =>
    fetch(url() + signed.path, { method: signed.method, headers: sign(signed), body: Buffer.from(signed.body) });
  const defaults = () => ({ method: 'PUT', time: Math.floor(Date.now() / 1000), secret: ADMIN_SECRET });
  return {
    pushArtifact: (bytes, changes) => {
      const digest = changes?.digest ?? sha256(bytes);
      const path = `/admin/artifacts/${digest}`;
      return send({ ...defaults(), path, digest, revision: 0, body: bytes, ...changes });
    },
    pushRoute: (route, changes) => {
      const body = JSON.stringify(route);
      const path = `/admin/routes/${route.endpoint}`;
      return send({ ...defaults(), path, digest: sha256(body), revision: route.revision, body, ...changes });
    },
  };
}
