/** Cold starts of the edge, and its memory after many models. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { ADMIN_SECRET, CLIENT_KEY, EDGE_KEY } from '../../apps/edge/test/stand.ts';
import { serveModel, startBenchEdge } from './edge-stand.ts';
import { adultLike, type ImageModel, images, quickStart, type TabularModel } from './models.ts';
import { residentBytes } from './process.ts';

const HOST = path.resolve(import.meta.dirname, '../../apps/edge/src/host.ts');
const STARTS = 5;
const MIB = 2 ** 20;

/** The edge as `npm run edge` starts it. */
async function startHost(apiUrl: string, data: string): Promise<{ url: string; child: ChildProcess }> {
  const env = { API_URL: apiUrl, EDGE_KEY, ADMIN_SECRET, EDGE_PORT: '0', EDGE_DATA: data };
  const child = spawn(process.execPath, [HOST], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const said: { ready?: boolean; url?: string } = JSON.parse(line);
    if (said.ready && said.url) return { url: said.url, child };
  }
  throw new Error('the edge ended before it was ready');
}

async function stopHost(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGTERM');
  await ended;
}

async function post(url: string, body: string): Promise<number> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${CLIENT_KEY}` };
  const started = performance.now();
  const response = await fetch(url, { method: 'POST', headers, body });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url}: ${response.status} ${text}`);
  return performance.now() - started;
}

const predict = (url: string, endpoint: string, model: TabularModel) =>
  post(`${url}/v1/endpoints/${endpoint}/predict`, JSON.stringify({ instances: model.rows(1) }));

/** From nothing to the first answer, over a folder that has the models. */
export async function coldStarts(apiUrl: string): Promise<void> {
  const data = mkdtempSync(path.join(tmpdir(), 'anneal-bench-cold-'));
  const models = { adult: await adultLike(), quick: await quickStart() };
  const first = await startHost(apiUrl, data);
  for (const [name, model] of Object.entries(models)) await serveModel(first.url, name, model, 'BUFFERED');
  await stopHost(first.child);
  const times = { boot: [] as number[], first: [] as number[], second: [] as number[], warm: [] as number[] };
  for (let i = 0; i < STARTS; i++) {
    const started = performance.now();
    const { url, child } = await startHost(apiUrl, data);
    times.boot.push(performance.now() - started);
    times.first.push(await predict(url, 'adult', models.adult));
    times.second.push(await predict(url, 'quick', models.quick));
    times.warm.push(await predict(url, 'quick', models.quick));
    await stopHost(child);
  }
  rmSync(data, { recursive: true, force: true });
  const median = (values: number[]) => `${values.toSorted((a, b) => a - b)[values.length >> 1]?.toFixed(0)} ms`;
  console.log(`\nCold start, median of ${STARTS}`);
  console.log(`  process to ready: ${median(times.boot)}`);
  console.log(`  first request (starts ONNX Runtime, loads the model): ${median(times.first)}`);
  console.log(
    `  first request to a model that is not loaded yet: ${median(times.second)}; the next: ${median(times.warm)}`,
  );
}

/** Loads so many different models, asks each once, and says what workerd holds on the way. */
export async function memoryAfter(apiUrl: string, count: number): Promise<void> {
  const edge = await startBenchEdge(apiUrl);
  const one = images(0).pixels(1);
  const input = { name: 'image', datatype: 'FP32', shape: [1, 1, 28, 28], data: Array.from(one) };
  const body = JSON.stringify({ inputs: [input] });
  const say = async (loaded: number, model: ImageModel | undefined) => {
    const health = await (await fetch(`${edge.url}/healthz`)).json();
    const size = model ? `, ${(model.bytes.byteLength / 1000).toFixed(0)} kB each` : '';
    const held = `WASM heap ${(health.heapBytes / MIB).toFixed(0)} MiB, ${health.sessions} loaded`;
    const resident = (residentBytes(edge.pid) / MIB).toFixed(0);
    console.log(`  ${loaded} models${size}: workerd ${resident} MiB resident; ${held}, ${health.evictions} evicted`);
  };
  console.log('\nMemory');
  await say(0, undefined);
  for (let i = 1; i <= count; i++) {
    const model = images(i);
    await serveModel(edge.url, `model-${i}`, model, 'BUFFERED');
    await post(`${edge.url}/v2/models/model-${i}/infer`, body);
    if (i === 1 || i % (count / 4) === 0) await say(i, model);
  }
  await edge.stop();
}
