/**
 * Plays the API towards a trainer, for tests: its operations over HTTP, fenced by attempt as the real one, with
 * everything that was written kept in plain arrays. Knows no training.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { z } from 'zod';
import type { RunSpec, Table } from '../contract.ts';
import { encodeTable } from '../contract.ts';
import type { MetricPoint } from './operations.ts';

/** A run as the played API sees it. */
export interface PlayedRun {
  id: string;
  kind: 'TRAIN' | 'IMPORT';
  spec: unknown;
  table: string;
  columns: { name: string; kind: string }[];
  status: 'QUEUED' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELED';
  attempt: number;
  cancelRequested: boolean;
  error: { code: string; message: string } | null;
  points: MetricPoint[];
  progress: number;
  checkpoint: { step: number; digest: string } | null;
  /** Epochs after which it has to ask, and the answers. */
  rungs: Map<number, 'PROCEEDS' | 'STOPS'>;
  completed: Record<string, unknown> | null;
}

const Point = z.object({ name: z.string(), step: z.number(), value: z.number() });
const Input = z.looseObject({
  runId: z.string().optional(),
  attempt: z.number().optional(),
  points: z.array(Point).optional(),
  kinds: z.array(z.string()).optional(),
});
type Input = z.infer<typeof Input>;
const Call = z.object({ query: z.string(), variables: z.object({ input: Input }) });
type Payload = Record<string, unknown>;

/** The key that the played API accepts. */
export const KEY = 'played-key';

/** The server; every array and map may be read and changed by the test. */
export class PlayedApi {
  readonly runs = new Map<string, PlayedRun>();
  readonly blobs = new Map<string, Buffer>();
  /** Names of all mutations, in order. */
  readonly calls: string[] = [];
  /** HTTP statuses for the next GraphQL calls instead of an answer. */
  readonly outages: number[] = [];
  readonly #server: Server;
  #waiting: (() => void)[] = [];
  #watchers: (() => void)[] = [];

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#serve(request)
        .catch((error: unknown) => ({ status: 500, body: Buffer.from(String(error)) }))
        .then(({ status, body }) => response.writeHead(status, { 'content-type': 'application/json' }).end(body));
    });
  }

  static async start(): Promise<PlayedApi> {
    const api = new PlayedApi();
    api.#server.listen(0, '127.0.0.1');
    await once(api.#server, 'listening');
    return api;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the played API does not listen');
    return `http://127.0.0.1:${address.port}/graphql`;
  }

  async close(): Promise<void> {
    for (const wake of this.#waiting) wake();
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** Queues a run over this table. The digest of the spec becomes the table's. */
  queue(id: string, table: Table, spec: RunSpec): PlayedRun {
    const digest = this.#store(Buffer.from(encodeTable(table)));
    const run = this.queueRaw(id, { ...spec, datasetDigest: digest }, digest);
    run.columns = table.columns.map(({ name, kind }) => ({ name, kind }));
    return run;
  }

  /** Queues whatever this is as a spec. */
  queueRaw(id: string, spec: unknown, digest: string, kind: PlayedRun['kind'] = 'TRAIN'): PlayedRun {
    const run: PlayedRun = {
      ...{ id, kind, spec, table: digest, status: 'QUEUED', attempt: 0, cancelRequested: false, error: null },
      ...{ columns: [], points: [], progress: 0, checkpoint: null, rungs: new Map(), completed: null },
    };
    this.runs.set(id, run);
    this.#changed();
    return run;
  }

  /** Keeps bytes; answers the digest that names them. */
  blobOf(bytes: Buffer): string {
    return this.#store(bytes);
  }

  /** Makes a running run claimable again, as the end of its lease does. */
  expireLease(id: string): void {
    this.#run(id).status = 'QUEUED';
    this.#changed();
  }

  /** Settles as soon as the condition holds; it is looked at whenever somebody calls. */
  async until<T>(condition: () => T | undefined | null | false): Promise<T> {
    for (;;) {
      const held = condition();
      if (held) return held;
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }

  async #serve(request: IncomingMessage): Promise<{ status: number; body: Buffer }> {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece);
    const body = Buffer.concat(pieces);
    this.#look();
    const path = request.url ?? '';
    if (request.method === 'GET') return { status: 200, body: this.blobs.get(path.slice('/blobs/'.length)) ?? body };
    if (request.method === 'PUT') {
      this.blobs.set(path, body);
      return { status: 200, body: Buffer.from('{}') };
    }
    const outage = this.outages.shift();
    if (outage) return { status: outage, body: Buffer.from('{"errors":[{"message":"away"}]}') };
    if (request.headers.authorization !== `Bearer ${KEY}`)
      return { status: 401, body: Buffer.from('{"errors":[{"message":"unknown key"}]}') };
    const { query, variables } = Call.parse(JSON.parse(body.toString()));
    const name = /\{\s*(\w+)\(/.exec(query)?.[1] ?? '';
    this.calls.push(name);
    const payload = await this.#answer(name, variables.input);
    this.#changed();
    return { status: 200, body: Buffer.from(JSON.stringify({ data: { [name]: { userErrors: [], ...payload } } })) };
  }

  async #answer(name: string, input: Input): Promise<Payload> {
    if (name === 'claimRun') return { claim: await this.#claim(input.kinds ?? ['TRAIN']) };
    if (name === 'stageUpload') return { upload: this.#stage() };
    const run = this.#run(String(input.runId));
    if (run.attempt !== input.attempt || run.status !== 'RUNNING')
      return { userErrors: [{ code: 'STALE_ATTEMPT', message: 'another attempt owns the run' }] };
    return this.#write(name, run, input);
  }

  #write(name: string, run: PlayedRun, input: Input): Payload {
    if (typeof input.progress === 'number') run.progress = input.progress;
    switch (name) {
      case 'heartbeatRun':
        return { cancelRequested: run.cancelRequested };
      case 'reportMetrics':
        run.points.push(...(input.points ?? []));
        return {};
      case 'reportRung': {
        const proceeds = run.rungs.get(Number(input.epoch)) === 'PROCEEDS';
        if (!proceeds) run.status = 'CANCELED';
        return { proceeds };
      }
      case 'saveCheckpoint': {
        const bytes = this.blobs.get(String(input.uploadToken)) ?? Buffer.alloc(0);
        run.checkpoint = { step: Number(input.step), digest: this.#store(bytes) };
        return {};
      }
      case 'completeRun':
      case 'completeImport':
        Object.assign(run, { status: 'SUCCEEDED', completed: input });
        return { modelVersion: { id: `version of ${run.id}`, number: 1 } };
      case 'failRun':
        run.status = input.code === 'CANCELED' ? 'CANCELED' : 'FAILED';
        run.error = { code: String(input.code), message: String(input.message) };
        return {};
      default:
        throw new Error(`the played API has no ${name}`);
    }
  }

  async #claim(kinds: string[]): Promise<Payload | null> {
    const queued = () => [...this.runs.values()].find((run) => run.status === 'QUEUED' && kinds.includes(run.kind));
    if (!queued()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    const run = queued();
    if (!run) return null;
    run.status = 'RUNNING';
    run.attempt++;
    const { checkpoint } = run;
    return {
      ...{ runId: run.id, attempt: run.attempt, leaseSeconds: 10, spec: run.spec, datasetUrl: `/blobs/${run.table}` },
      ...{ kind: run.kind, sourceUrl: run.kind === 'IMPORT' ? `/blobs/${run.table}` : null },
      ...{ columns: run.columns, missingValues: [], rungs: [...run.rungs.keys()] },
      checkpoint: checkpoint && { url: `/blobs/${checkpoint.digest}`, step: checkpoint.step },
    };
  }

  #stage(): Payload {
    const token = `/uploads/${this.calls.length}`;
    return { url: token, method: 'PUT', headers: [{ name: 'x-signed', value: 'yes' }], token };
  }

  #store(bytes: Buffer): string {
    const digest = createHash('sha256').update(bytes).digest('hex');
    this.blobs.set(digest, bytes);
    return digest;
  }

  #run(id: string): PlayedRun {
    const run = this.runs.get(id);
    if (!run) throw new Error(`the played API has no run ${id}`);
    return run;
  }

  #changed(): void {
    for (const wake of this.#waiting.splice(0)) wake();
    this.#look();
  }

  #look(): void {
    for (const look of this.#watchers.splice(0)) look();
  }
}
