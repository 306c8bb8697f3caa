/** The thread of load.ts: its event loop is its own, so that what it measures is the server's time, not the test's. */
import { Agent, request } from 'node:http';
import { parentPort, workerData } from 'node:worker_threads';
import type { Answered, LoadOptions } from './load.ts';

const { url, headers, body, connections }: LoadOptions = workerData;
let stopped = false;
parentPort?.once('message', () => {
  stopped = true;
});

const length = { 'content-length': String(Buffer.byteLength(body)) };
const answers = await Promise.all(Array.from({ length: connections }, connection));
parentPort?.postMessage(answers);

async function connection(): Promise<Answered[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const answers: Answered[] = [];
  while (!stopped) {
    const started = performance.now();
    const answer = await post(agent);
    answers.push({ ...answer, milliseconds: performance.now() - started });
  }
  agent.destroy();
  return answers;
}

function post(agent: Agent): Promise<{ status: number; body: string }> {
  return new Promise((resolve) => {
    const failed = (error: Error) => resolve({ status: 0, body: error.message });
    const sent = request(url, { method: 'POST', agent, headers: { ...headers, ...length } }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
      response.on('error', failed);
    });
    sent.on('error', failed);
    sent.end(body);
  });
}
