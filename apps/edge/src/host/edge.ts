/**
 * The Worker served by workerd in this machine: Miniflare as a library, local R2 and Durable Object storage in a
 * folder.
 */
import { readFileSync } from 'node:fs';
import { Miniflare, type MiniflareOptions } from 'miniflare';
import { buildWorker, WORKER, WORKER_WASM } from '../../build-worker.mjs';
import { type Config, configureMiniflare } from '../config.ts';
import { bucketName } from './bucket.ts';
import { openWatchdog, WORKERD_WRAPPER } from './watchdog.ts';

const NAME = 'anneal-edge';

export interface EdgeHost {
  /** Where it listens, without a slash at the end. */
  url: string;
  /** Ends workerd; what it stored stays. */
  stop(): Promise<void>;
}

export interface EdgeHostOptions extends Omit<Config, 'watchdog'> {
  /** One line of the Worker's log. */
  onLog: (line: string) => void;
}

/**
 * Builds the Worker if its sources changed, and serves it; `main` is the path of another main module than the built
 * one.
 * @throws Error naming the port when it is taken.
 */
export async function startEdge(options: EdgeHostOptions, main = WORKER): Promise<EdgeHost> {
  await buildWorker();
  configureMiniflare(WORKERD_WRAPPER);
  const watchdog = openWatchdog();
  const miniflare = new Miniflare(miniflareOptions(options, main, watchdog));
  const stop = async () => {
    await miniflare.dispose().finally(() => watchdog.close());
  };
  try {
    await miniflare.ready;
    const url = await miniflare.unsafeGetDirectURL(NAME);
    return { url: url.href.replace(/\/$/, ''), stop };
  } catch (error) {
    await stop().catch(() => {}); // what failed is told below
    throw isPortTaken(error)
      ? new Error(
          `port ${options.port} of ${options.host} is taken: set EDGE_PORT to another one, or to 0 for any free one`,
        )
      : error;
  }
}

function isPortTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_ADDRESS_IN_USE';
}

/** The bindings of wrangler.jsonc. */
function miniflareOptions(
  options: EdgeHostOptions,
  main: string,
  watchdog: { folder: string; env: Record<string, string> },
) {
  const text = (value: string) => ({ type: 'text' as const, value });
  return {
    cf: false, // no look-up of Cloudflare's data: nothing here calls out but the outbox
    telemetry: { enabled: false },
    logRequests: false,
    resourcePersistencePath: options.data,
    resourceTmpPath: watchdog.folder,
    unsafeRuntimeEnv: watchdog.env,
    handleStructuredLogs: ({ message }) => options.onLog(message),
    workers: [
      {
        config: {
          name: NAME,
          compatibilityDate: '2026-10-01',
          manifest: {
            mainModule: 'worker.mjs',
            modules: {
              'worker.mjs': { type: 'esm', contents: readFileSync(main, 'utf8') },
              'ort.wasm': { type: 'wasm', contents: new Uint8Array(readFileSync(WORKER_WASM)) },
            },
          },
          env: {
            API_URL: text(options.apiUrl),
            EDGE_KEY: text(options.edgeKey),
            ADMIN_SECRET: text(options.adminSecret),
            LOG_REQUESTS: text(options.logRequests ?? 'FAILED'),
            ARTIFACTS: { type: 'r2', name: bucketName(options.data) },
            OUTBOX: { type: 'durable-object', worker: NAME, exportName: 'Outbox' },
            LIMITER: { type: 'durable-object', worker: NAME, exportName: 'Limiter' },
          },
          exports: {
            Outbox: { type: 'durable-object', storage: 'sqlite' },
            Limiter: { type: 'durable-object', storage: 'sqlite' },
          },
        },
        // Past Miniflare's own entry: 0.2 ms a request instead of 0.65.
        dev: { unsafeDirectSockets: [{ host: options.host, port: options.port }] },
      },
    ],
  } satisfies MiniflareOptions;
}
