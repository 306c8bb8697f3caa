/** The edges that are measured: this project's Worker and the echo Worker, on the same host, with a sink for events. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Route, RouteVariant } from '../../apps/edge/src/contract.ts';
import { startEdge } from '../../apps/edge/src/host/edge.ts';
import { ADMIN_SECRET, EDGE_KEY, KEYS, sign } from '../../apps/edge/test/stand.ts';
import { workerdsOf } from './process.ts';

export interface BenchEdge {
  url: string;
  /** Of workerd. */
  pid: number;
  data: string;
  stop(): Promise<void>;
}

/** The API's side of the events: takes everything and keeps nothing. */
export async function startSink(): Promise<{ url: string; close(): void }> {
  const server = http.createServer((request, response) => request.resume().once('end', () => response.end()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${port}`, close };
}

/** An edge with an empty folder; `main` is another main module than the built Worker. */
export async function startBenchEdge(apiUrl: string, main?: string): Promise<BenchEdge> {
  const data = mkdtempSync(path.join(tmpdir(), 'anneal-bench-'));
  const before = new Set(workerdsOf(process.pid));
  const options = { apiUrl, edgeKey: EDGE_KEY, adminSecret: ADMIN_SECRET, host: '127.0.0.1', port: 0, data };
  const edge = await startEdge({ ...options, onLog: () => {} }, main);
  const pid = workerdsOf(process.pid).find((other) => !before.has(other));
  if (pid === undefined) throw new Error('workerd is not among the children of this process');
  const stop = async () => {
    await edge.stop();
    rmSync(data, { recursive: true, force: true });
  };
  return { url: edge.url, pid, data, stop };
}

const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');

async function put(url: string, to: string, body: Uint8Array<ArrayBuffer> | string, revision: number): Promise<void> {
  const time = Math.floor(Date.now() / 1000);
  const headers = sign({ method: 'PUT', path: to, digest: sha256(body), revision, time, secret: ADMIN_SECRET });
  const response = await fetch(url + to, { method: 'PUT', headers, body });
  if (!response.ok) throw new Error(`PUT ${to}: ${response.status} ${await response.text()}`);
}

/** Pushes a model and an endpoint that it answers. */
export async function serveModel(
  url: string,
  endpoint: string,
  model: { bytes: Uint8Array<ArrayBuffer>; manifest: RouteVariant['manifest'] },
  events: Route['events'],
): Promise<void> {
  await put(url, `/admin/artifacts/${sha256(model.bytes)}`, model.bytes, 0);
  const variant = { modelVersionId: 'version-1', model: 'bench', version: 1, weight: 1, manifest: model.manifest };
  const route = { formatVersion: 1, endpoint, revision: 1, variants: [variant], events, keys: KEYS };
  await put(url, `/admin/routes/${endpoint}`, JSON.stringify(route), 1);
}
