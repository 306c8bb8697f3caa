import { once } from 'node:events';
import net from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { binaryManifest, routeOf } from './manifests.ts';
import { binaryModel } from './models.ts';
import { CLIENT_KEY, KEYS, type Stand, startStand } from './stand.ts';

const ENDPOINTS = Array.from({ length: 10 }, (_, i) => `model-${i}`);
const PADDING = 1_500_000; // 6 MB: the load takes long enough to be met half-way
const body = JSON.stringify({ instances: [{ age: 30, sex: 'male' }] });

let stand: Stand;
beforeAll(async () => {
  stand = await startStand();
  for (const [i, endpoint] of ENDPOINTS.entries()) {
    const model = binaryModel(i, PADDING);
    await stand.pushArtifact(model);
    expect((await stand.pushRoute(routeOf(endpoint, 1, [[binaryManifest(model), 1]], KEYS))).status).toBe(200);
  }
  await stand.restart(); // all cold
});
afterAll(() => stand.close());

/** A predict request whose client vanishes with a TCP reset (a mere close does not cancel in workerd) after `delayMs`. */
async function resetMidway(endpoint: string, delayMs: number): Promise<void> {
  const { hostname, port } = new URL(stand.url());
  const socket = net.connect(Number(port), hostname);
  await once(socket, 'connect');
  socket.write(
    `POST /v1/endpoints/${endpoint}/predict HTTP/1.1\r\nhost: edge\r\nauthorization: Bearer ${CLIENT_KEY}\r\n` +
      `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  await new Promise((resolve) => setTimeout(resolve, delayMs)); // the moment of the reset is what varies here
  socket.resetAndDestroy();
}

test('a client that hangs up during a load breaks it for nobody', { timeout: 60_000 }, async () => {
  for (const [i, endpoint] of ENDPOINTS.entries()) {
    const gone = resetMidway(endpoint, 2 + 3 * i);
    const beside = stand.predict(endpoint, body);
    await gone;
    expect((await beside).status).toBe(200);
    expect((await stand.predict(endpoint, body)).status).toBe(200);
  }
});
