/**
 * Events under faults, with all parts real: the API away under load, and workerd killed with -9. What was answered is
 * counted by the public metrics; feedback to every answer tells whether its event is there (`labelled`).
 */
import { Agent, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commit, createDataset, createExperiment, feedback, finished, graphql, upload } from '../examples/client.ts';
import { instance, simulated } from '../examples/quickstart-data.ts';
import { processesOf } from './testkit/processes.ts';
import { type Stack, startStack } from './testkit/stack.ts';

const PER_SECOND = 200;
const OUTAGE_MS = Number(process.env.ANNEAL_TEST_OUTAGE_SECONDS ?? 10) * 1000;
/** The launcher waits up to 10 s between restarts; then PostgreSQL recovers and the outbox empties. */
const RECOVERY_MS = 60_000;

const DEPLOY = `mutation ($input: DeployInput!) { deploy(input: $input) { userErrors { code message } } }`;
const SEEN = `query ($id: ID!, $endpoint: String!) { modelVersion(id: $id) {
  traffic { requests errors }
  evaluation(source: LIVE, endpoint: $endpoint) { n labelled }
} }`;
interface Seen {
  modelVersion: { traffic: { requests: number; errors: number }; evaluation: { n: number; labelled: number } | null };
}

interface Answered {
  /** Of the prediction. */
  id: string;
  /** performance.now() when the answer was here. */
  at: number;
}
interface Load {
  answered: Answered[];
  failures: { reason: string; at: number }[];
  sent(): number;
  /** Sends no more; resolves when all that was sent has ended. */
  end(): Promise<void>;
}

const body = JSON.stringify({ instances: [instance('wide', 3)] });
const milliseconds = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** PER_SECOND requests a second, however long answers take. */
function startLoad(stack: Stack, endpoint: string): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const [answered, failures, open]: [Answered[], Load['failures'], Set<Promise<void>>] = [[], [], new Set()];
  const started = performance.now();
  let sent = 0;
  const send = () => {
    sent++;
    const one = post(`${stack.edge}/v1/endpoints/${endpoint}/predict`, stack.keys.admin, agent).then(
      (id) => void answered.push({ id, at: performance.now() }),
      (error: Error) => void failures.push({ reason: error.message, at: performance.now() }),
    );
    open.add(one);
    one.finally(() => open.delete(one));
  };
  const timer = setInterval(() => {
    while (sent < ((performance.now() - started) / 1000) * PER_SECOND) send();
  }, 5);
  const end = async () => {
    clearInterval(timer);
    await Promise.all(open);
    agent.destroy();
  };
  return { answered, failures, sent: () => sent, end };
}

/** One predict; the id of its prediction. @throws Error for all but 200. */
function post(url: string, key: string, agent: Agent): Promise<string> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', agent, headers }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.once('error', reject).once('end', () => {
        if (response.statusCode === 200) resolve(JSON.parse(text).predictions[0].id);
        else reject(new Error(`${response.statusCode} ${text}`));
      });
    });
    sent.once('error', reject).end(body);
  });
}

const pidsOf = (stack: Stack, command: RegExp) =>
  processesOf(stack.home).flatMap((found) => (command.test(found.command) ? [found.pid] : []));

describe('delivery of events', () => {
  let stack: Stack;
  let modelVersionId: string;
  beforeAll(async () => {
    stack = await startStack();
    const to = stack.connection;
    const uploadTokens = [await upload(to, 'train.csv', simulated(400, 5))];
    const datasetId = await createDataset(to, 'faults');
    const { id: datasetVersionId } = await commit(to, { datasetId, uploadTokens, format: 'CSV', target: 'class' });
    const budget = { maxEpochs: 2, patience: null };
    const run = await createExperiment(to, { name: 'faults', modelName: 'faults', datasetVersionId, budget });
    modelVersionId = (await finished(to, run)).id;
    for (const [endpoint, events] of Object.entries({ away: 'BUFFERED', quick: 'BUFFERED', sure: 'DURABLE' }))
      await graphql(to, DEPLOY, { input: { endpoint, events, variants: [{ modelVersionId, weight: 1 }] } });
  }, 120_000);
  afterAll(async () => await stack.stop());

  const seen = (endpoint: string) =>
    graphql<Seen>(stack.connection, SEEN, { id: modelVersionId, endpoint }).then(
      ({ modelVersion }) => modelVersion,
      () => undefined, // the API is away
    );
  const counted = async (endpoint: string) => (await seen(endpoint))?.evaluation?.n ?? 0;
  const labelled = async (endpoint: string) => (await seen(endpoint))?.evaluation?.labelled ?? 0;

  /** Says what was true of every answer. */
  async function label(endpoint: string, answered: readonly Answered[]): Promise<void> {
    for (let i = 0; i < answered.length; i += 500) {
      const part = answered.slice(i, i + 500).map(({ id }) => ({ id, label: 'wide' }));
      await feedback(stack.connection, endpoint, part);
    }
  }

  it(`a killed API delays nothing, and then counts everything once (${OUTAGE_MS / 1000} s)`, async () => {
    const load = startLoad(stack, 'away');
    await expect.poll(() => load.answered.length, { timeout: 20_000 }).toBeGreaterThan(PER_SECOND);
    const until = performance.now() + OUTAGE_MS;
    let kills = 0;
    while (performance.now() < until) {
      // Again and again: the launcher starts it anew.
      for (const pid of pidsOf(stack, /apps\/api\/src\/main\.ts/)) {
        process.kill(pid, 'SIGKILL');
        kills++;
      }
      await milliseconds(200);
    }
    await load.end();
    expect(kills).toBeGreaterThan(1);
    expect(load.failures).toEqual([]);
    expect(load.answered.length).toBeGreaterThan(((OUTAGE_MS / 1000) * PER_SECOND) / 2);
    const all = { timeout: RECOVERY_MS + OUTAGE_MS, interval: 250 };
    await expect.poll(() => counted('away'), all).toBe(load.answered.length);
    // Behind a later one nothing else came, and every single one is there.
    await label('away', load.answered);
    await expect.poll(() => labelled('away'), all).toBe(load.answered.length);
    expect(await counted('away')).toBe(load.answered.length);
    expect((await seen('away'))?.traffic.errors).toBe(0);
  }, 300_000);

  it.each([
    { endpoint: 'sure', loses: 'nothing', withinMs: 0 },
    { endpoint: 'quick', loses: 'what was answered in the last moments', withinMs: 100 },
  ])(
    'workerd killed with -9 loses $loses of $endpoint',
    async ({ endpoint, withinMs }) => {
      const load = startLoad(stack, endpoint);
      await expect.poll(() => load.answered.length, { timeout: 20_000 }).toBeGreaterThan(2 * PER_SECOND);
      const killed = performance.now();
      for (const pid of pidsOf(stack, /^\S*workerd\S* serve/)) process.kill(pid, 'SIGKILL');
      await expect.poll(() => load.failures.length, { timeout: 20_000 }).toBeGreaterThan(0); // it was killed indeed
      await load.end();
      const acknowledged = load.answered;
      const health = () =>
        fetch(`${stack.edge}/healthz`).then(
          (response) => response.status,
          () => 0,
        );
      await expect.poll(health, { timeout: RECOVERY_MS }).toBe(200);
      await label(endpoint, acknowledged);
      // Those that it answered in its last moments; some are answered by its successor already.
      const gone = load.failures[0]?.at ?? killed;
      const late = withinMs > 0 ? acknowledged.filter(({ at }) => at > killed - withinMs && at <= gone).length : 0;
      const least = acknowledged.length - late;
      await expect.poll(() => labelled(endpoint), { timeout: RECOVERY_MS }).toBeGreaterThanOrEqual(least);
      expect(await labelled(endpoint)).toBeLessThanOrEqual(acknowledged.length);
      expect(await counted(endpoint)).toBeLessThanOrEqual(load.sent());
    },
    180_000,
  );
});
