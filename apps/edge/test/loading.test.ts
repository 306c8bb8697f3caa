import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundleWorker } from '../build-worker.mjs';
import { binaryManifest, routeOf } from './manifests.ts';
import { binaryModel } from './models.ts';
import { CLIENT_KEY, KEYS, type Stand, startStand } from './stand.ts';

// Storage takes 400 ms a read: the first moment falls into reading the route, the second into reading the artifact.
const MOMENTS_MS = [150, 600];
const body = JSON.stringify({ instances: [{ age: 30, sex: 'male' }] });

let stand: Stand;
let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'anneal-edge-test-'));
  const main = path.join(folder, 'worker.mjs');
  writeFileSync(main, await bundleWorker('test/slow-worker.ts'));
  stand = await startStand(main);
  for (const moment of MOMENTS_MS) {
    const model = binaryModel(moment);
    await stand.pushArtifact(model);
    const route = routeOf(`cold-${moment}`, 1, [[binaryManifest(model), 1]], KEYS);
    expect((await stand.pushRoute(route)).status).toBe(200);
  }
  await stand.restart(); // all cold
});
afterAll(async () => {
  await stand.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A predict request whose client vanishes with a TCP reset: a mere close does not cancel in workerd. */
async function resetAfter(endpoint: string, ms: number): Promise<void> {
  const { hostname, port } = new URL(stand.url());
  const socket = net.connect(Number(port), hostname);
  await once(socket, 'connect');
  socket.write(
    `POST /v1/endpoints/${endpoint}/predict HTTP/1.1\r\nhost: edge\r\nauthorization: Bearer ${CLIENT_KEY}\r\n` +
      `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  await new Promise((resolve) => setTimeout(resolve, ms)); // no event tells that workerd waits for storage
  socket.resetAndDestroy();
}

test.each(MOMENTS_MS)('a client that hangs up %i ms into a load breaks it for nobody', async (moment) => {
  const endpoint = `cold-${moment}`;
  await resetAfter(endpoint, moment);
  const timeout = AbortSignal.timeout(10_000); // what the vanished request began would never settle
  expect((await stand.predict(endpoint, body, {}, timeout)).status).toBe(200);
});
