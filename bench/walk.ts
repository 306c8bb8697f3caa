/**
 * From createExperiment to an answering endpoint for the quick start's version 1 (goal: 3 s), and what a predict costs
 * next to a Worker that only echoes JSON, on the same machine in the same interleaved rounds.
 */
import { Agent, request } from 'node:http';
import { cpus } from 'node:os';
import { Miniflare } from 'miniflare';
import { commit, createDataset, createExperiment, deploy, finished, predict, upload } from '../examples/client.ts';
import { instance, simulated } from '../examples/quickstart-data.ts';
import { startStack } from '../test/testkit/stack.ts';

const WALKS = 5;
const ROUNDS = 5;
const REQUESTS = 1000;
const ECHO = `export default { async fetch(request) { return Response.json(await request.json()); } };`;

async function echoWorker(): Promise<{ url: string; stop(): Promise<void> }> {
  const miniflare = new Miniflare({
    cf: false,
    telemetry: { enabled: false },
    logRequests: false,
    workers: [
      {
        config: {
          name: 'echo',
          compatibilityDate: '2026-10-01',
          manifest: { mainModule: 'echo.mjs', modules: { 'echo.mjs': { type: 'esm', contents: ECHO } } },
        },
        dev: { unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }] },
      },
    ],
  });
  await miniflare.ready;
  return { url: (await miniflare.unsafeGetDirectURL('echo')).href, stop: () => miniflare.dispose() };
}

const agent = new Agent({ keepAlive: true, maxSockets: 1 });

/** Milliseconds of one POST over a kept-alive connection, answer read. */
async function timed(url: string, body: string, key: string): Promise<number> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` };
  const started = performance.now();
  await new Promise<void>((resolve, reject) => {
    const sent = request(url, { method: 'POST', agent, headers }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${url}: ${response.statusCode}`));
      response.resume().once('end', resolve);
    });
    sent.once('error', reject).end(body);
  });
  return performance.now() - started;
}

const quantile = (values: number[], q: number) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(q * values.length))] ?? Number.NaN;
const ms = (value: number) => `${value.toFixed(2)} ms`;

const stack = await startStack();
const echo = await echoWorker();
try {
  const to = stack.connection;
  const uploadTokens = [
    await upload(to, 'train.csv', simulated(200, 200)),
    await upload(to, 'fresh.csv', simulated(2000, 7)),
  ];
  const { id: datasetVersionId } = await commit(to, {
    datasetId: await createDataset(to, 'bench'),
    uploadTokens,
    format: 'CSV',
    target: 'class',
    split: { files: ['TRAIN', 'TEST'], validation: 0 },
  });
  const seconds: number[] = [];
  for (let seed = 1; seed <= WALKS; seed++) {
    const started = performance.now();
    const run = await createExperiment(to, {
      name: 'bench',
      datasetVersionId,
      seed,
      architecture: { mlp: { hidden: [64] } },
      preprocessing: 'NONE',
      hyperparameters: { optimizer: 'SGD', learningRate: 0.01, batchSize: null },
      budget: { maxEpochs: 100, patience: null },
    });
    await deploy(to, 'bench', (await finished(to, run)).id);
    await predict(to, 'bench', [instance('wide', 11)]);
    seconds.push((performance.now() - started) / 1000);
  }
  const body = JSON.stringify({ instances: [instance('wide', 11)] });
  const subjects = [
    { name: 'JSON echo Worker', url: echo.url, times: [] as number[] },
    { name: 'Anneal predict', url: `${to.edge}/v1/endpoints/bench/predict`, times: [] as number[] },
  ];
  for (let round = 0; round <= ROUNDS; round++)
    for (const subject of subjects)
      for (let i = 0; i < REQUESTS; i++) {
        const time = await timed(subject.url, body, to.key);
        if (round > 0) subject.times.push(time); // round 0 warms up
      }

  console.log(
    `${new Date().toISOString().slice(0, 10)}, ${cpus().length} x ${cpus()[0]?.model}, node ${process.version}`,
  );
  const each = seconds.map((value) => value.toFixed(2)).join(' ');
  console.log(
    `createExperiment to answering endpoint: median ${quantile(seconds, 0.5).toFixed(2)} s (${each}), goal 3 s`,
  );
  const [peer, ours] = subjects.map(({ name, times }) => {
    const [p50, p99] = [quantile(times, 0.5), quantile(times, 0.99)];
    console.log(
      `${name}, batch 1 of 100 columns, 1 connection: p50 ${ms(p50)}, p99 ${ms(p99)} (${times.length} requests)`,
    );
    return { p50, p99 };
  });
  if (peer && ours)
    console.log(`ratio to echo: p50 ${(ours.p50 / peer.p50).toFixed(2)}, p99 ${(ours.p99 / peer.p99).toFixed(2)}`);
} finally {
  agent.destroy();
  await echo.stop();
  await stack.stop();
}
