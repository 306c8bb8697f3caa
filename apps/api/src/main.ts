/** Entry of the API process: configuration, storage, server, and an orderly end. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Config, readConfig } from './config.ts';
import type { Deps } from './deps.ts';
import { bootstrap } from './domain/bootstrap.ts';
import { sweepRuns } from './domain/claim.ts';
import { startPusher } from './domain/edge-push.ts';
import { startGuardrails } from './domain/guardrail-watch.ts';
import { startRamps } from './domain/ramp-schedule.ts';
import { startRetention } from './domain/retention.ts';
import { createSessions } from './http/session.ts';
import { urlSigner } from './http/signing.ts';
import { jsonLogger } from './log.ts';
import { schema } from './schema/index.ts';
import { createApiServer } from './server.ts';
import { folderBlobs } from './storage/blobs.ts';
import { openDatabase } from './storage/database.ts';
import { postgresPubSub } from './storage/pubsub.ts';

/** How often runs whose last lease has run out are looked for. */
const SWEEP_MS = 10_000;
const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

async function listen(server: Server, config: Config): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') return reject(error);
      reject(new Error(`Port ${config.port} on ${config.host} is taken: stop what uses it, or set API_PORT`));
    });
    server.listen(config.port, config.host, resolve);
  });
  return (server.address() as AddressInfo).port; // a TCP server's address is always an AddressInfo
}

async function openServer(deps: Deps, signer: ReturnType<typeof urlSigner>, config: Config) {
  const { projectId } = await bootstrap(deps, config.keys);
  const sessions = createSessions({ secret: config.signingSecret, now: deps.now });
  const server = createApiServer({
    deps,
    schema,
    signer,
    sessions,
    consoleCaller: { kind: 'key', keyId: 'console', projectId, scopes: ['admin'] },
    loopback: LOOPBACK.has(config.host),
    allowedHosts: config.allowedHosts,
  });
  return { server, sessions };
}

async function main(): Promise<void> {
  const config = readConfig();
  const log = jsonLogger('api', config.logLevel);
  const database = await openDatabase({ url: config.databaseUrl, home: config.home, log });
  const pubsub = await postgresPubSub(database.url, log);
  const now = () => new Date();
  let publicUrl = config.publicUrl ?? '';
  const signer = urlSigner({ secret: config.signingSecret, baseUrl: () => publicUrl, now });
  const deps: Deps = {
    prisma: database.prisma,
    blobs: folderBlobs(config.blobs),
    signer,
    pubsub,
    edge: config.edge,
    log,
    get publicUrl() {
      return publicUrl;
    },
    now,
  };
  const { server, sessions } = await openServer(deps, signer, config);
  const port = await listen(server, config);
  const base = `http://${config.host === '0.0.0.0' ? '127.0.0.1' : config.host}:${port}`;
  publicUrl ||= base;
  const ending = new AbortController();
  startPusher(deps, ending.signal);
  startRamps(deps, ending.signal);
  startGuardrails(deps, { signal: ending.signal });
  startRetention(deps, { days: config.eventRetentionDays, signal: ending.signal });

  // claims sweep too; this is for the time when no trainer asks
  const sweep = () => void sweepRuns(deps).catch((e) => log.error('cannot sweep expired runs', { error: String(e) }));
  const sweeping = setInterval(sweep, SWEEP_MS).unref();

  const end = async () => {
    if (ending.signal.aborted) return;
    ending.abort();
    clearInterval(sweeping);
    server.close();
    server.closeAllConnections();
    await pubsub.close();
    await database.close();
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void end());
  if (config.watchdog) process.stdin.resume().once('close', () => void end());
  const ready = {
    ready: true,
    url: `${publicUrl}/graphql`,
    consoleOnce: sessions.mintLink(publicUrl),
    console: sessions.mintLink(publicUrl, { reusable: true }),
  };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
}

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
