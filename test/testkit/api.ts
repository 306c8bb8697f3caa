/** A real API on a free port over a database of its own: what tests of doors and GraphQL talk to. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Deps } from '../../apps/api/src/deps.ts';
import { bootstrap } from '../../apps/api/src/domain/bootstrap.ts';
import { createSessions, type Sessions } from '../../apps/api/src/http/session.ts';
import { urlSigner } from '../../apps/api/src/http/signing.ts';
import { jsonLogger } from '../../apps/api/src/log.ts';
import { schema } from '../../apps/api/src/schema/index.ts';
import { createApiServer, type Route, routes, type ServerOptions } from '../../apps/api/src/server.ts';
import { folderBlobs } from '../../apps/api/src/storage/blobs.ts';
import { connect } from '../../apps/api/src/storage/database.ts';
import { postgresPubSub } from '../../apps/api/src/storage/pubsub.ts';
import { testDatabase } from './database.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers of arbitrary documents; each test asserts what it reads
export type Answer = { data: any; errors?: { message: string; path?: (string | number)[]; extensions: any }[] };

export interface TestApi {
  /** Base URL, e.g. http://127.0.0.1:40123 . */
  url: string;
  deps: Deps;
  sessions: Sessions;
  routes: Route[];
  /** The id (uuid) of the default project. */
  projectId: string;
  keys: { admin: string; trainer: string; edge: string };
  /** Sends a document with the admin key, another key, or none (null). */
  execute(query: string, variables?: Record<string, unknown>, key?: string | null): Promise<Answer>;
  /** Runs `work` and returns the SQL statements that it issued through Prisma. */
  statements(work: () => Promise<unknown>): Promise<string[]>;
  close(): Promise<void>;
}

/** The parts that main.ts composes, over a throw-away database and folder. */
async function compose(edge: Deps['edge']) {
  const database = await testDatabase();
  const folder = mkdtempSync(path.join(tmpdir(), 'anneal-test-api-'));
  const prisma = connect(database.url);
  const log = jsonLogger('api', 'silent');
  const pubsub = await postgresPubSub(database.url, log);
  const now = () => new Date();
  const at = { publicUrl: '' };
  const signer = urlSigner({ secret: 'test signing secret', baseUrl: () => at.publicUrl, now });
  const deps: Deps = {
    prisma,
    blobs: folderBlobs(path.join(folder, 'blobs')),
    signer,
    pubsub,
    edge,
    log,
    get publicUrl() {
      return at.publicUrl;
    },
    now,
  };
  const close = async () => {
    await pubsub.close();
    await prisma.$disconnect();
    await database.drop();
    rmSync(folder, { recursive: true, force: true });
  };
  return { deps, prisma, signer, at, close };
}

/** One POST to /graphql; of a subscription that has ended, the first answer. */
async function send(url: string, query: string, variables: object, key: string | null): Promise<Answer> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key !== null && { authorization: `Bearer ${key}` }) },
    body: JSON.stringify({ query, variables }),
  });
  const text = await response.text();
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) return JSON.parse(text) as Answer;
  const first = /^data: (\{.*)$/m.exec(text);
  return first ? (JSON.parse(String(first[1])) as Answer) : { data: null };
}

/** Starts it; `edge` points the API at an edge (default: an address that refuses). */
export async function startTestApi(options: { edge?: Deps['edge'] } = {}): Promise<TestApi> {
  const refusing = { url: 'http://127.0.0.1:1', adminSecret: 'test admin secret' };
  const { deps, prisma, signer, at, close } = await compose(options.edge ?? refusing);
  const secret = () => randomBytes(32).toString('base64url');
  const keys = { admin: secret(), trainer: secret(), edge: secret() };
  const { projectId } = await bootstrap(deps, keys);
  const sessions = createSessions({ secret: 'test', now: deps.now });
  const serverOptions: ServerOptions = {
    deps,
    schema,
    signer,
    sessions,
    consoleCaller: { kind: 'key', keyId: 'console', projectId, scopes: ['admin'] },
    loopback: true,
    allowedHosts: [],
  };
  const server = createApiServer(serverOptions);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  at.publicUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // a TCP server's address
  const queries: string[] = [];
  prisma.$on('query', (event) => queries.push(event.query));
  return {
    url: at.publicUrl,
    deps,
    sessions,
    routes: routes(serverOptions),
    projectId,
    keys,
    execute: (query, variables = {}, key = keys.admin) => send(at.publicUrl, query, variables, key),
    async statements(work) {
      queries.length = 0;
      await work();
      return [...queries];
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await close();
    },
  };
}
