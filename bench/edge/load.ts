/**
 * The load generator, a process of its own: node:http over kept-alive connections, one request after the other on each.
 * A message is a job, its answer what the job took.
 */
import { Agent, request } from 'node:http';

export interface Job {
  url: string;
  headers: Record<string, string>;
  /** base64: IPC is JSON. */
  body: string;
  connections: number;
  /** Requests before the measured ones, not counted. */
  warmUp: number;
  requests: number;
  /** Stops early after so long. */
  maxMs: number;
}

export interface Measured {
  /** Of each request, milliseconds. */
  times: number[];
  /** Of all of them together, milliseconds. */
  elapsed: number;
}

/** Milliseconds of one POST, its answer read. @throws Error unless it is 200. */
async function post(job: Job, agent: Agent, body: Buffer): Promise<number> {
  const started = performance.now();
  const headers = { 'content-length': body.byteLength, ...job.headers };
  await new Promise<void>((resolve, reject) => {
    const sent = request(job.url, { method: 'POST', agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).once('error', reject);
      response.once('end', () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`${job.url}: ${response.statusCode} ${Buffer.concat(chunks)}`));
      });
    });
    sent.once('error', reject).end(body);
  });
  return performance.now() - started;
}

async function run(job: Job): Promise<Measured> {
  const agent = new Agent({ keepAlive: true, maxSockets: job.connections });
  const body = Buffer.from(job.body, 'base64');
  for (let i = 0; i < job.warmUp; i++) await post(job, agent, body);
  const times: number[] = [];
  const started = performance.now();
  let sent = 0;
  const client = async () => {
    while (sent < job.requests && performance.now() - started < job.maxMs) {
      sent++;
      times.push(await post(job, agent, body));
    }
  };
  await Promise.all(Array.from({ length: job.connections }, client));
  const elapsed = performance.now() - started;
  agent.destroy();
  return { times, elapsed };
}

process.on('message', (job: Job) => {
  run(job).then(
    (measured) => process.send?.({ measured }),
    (error) => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
  );
});
