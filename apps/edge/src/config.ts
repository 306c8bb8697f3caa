/**
 * The self-hosted edge's environment, read once; all mistakes in one message. The Worker itself has bindings instead.
 */
import path from 'node:path';
import { z } from 'zod';

const Environment = z.object({
  API_URL: z.url({ protocol: /^https?$/, error: 'expected the API’s URL, such as http://127.0.0.1:4000' }),
  EDGE_KEY: z.string('expected an API key of scope edge').min(16, 'expected an API key of scope edge'),
  ADMIN_SECRET: z
    .string('expected the secret that the API signs its pushes with')
    .min(16, 'expected at least 16 characters: it signs the API’s pushes'),
  EDGE_PORT: z.coerce.number('expected a port').int().min(0).max(65_535).default(8787),
  HOST: z.string().min(1).default('127.0.0.1'),
  EDGE_DATA: z.string().min(1).default('.anneal/edge'),
  LOG_REQUESTS: z.enum(['ALL', 'FAILED'], 'expected ALL or FAILED').default('FAILED'),
  ANNEAL_WATCHDOG: z.enum(['stdin'], 'expected stdin, or nothing').optional(),
});

export interface Config {
  apiUrl: string;
  edgeKey: string;
  adminSecret: string;
  /** 0 = any free port. */
  port: number;
  host: string;
  /** Folder of R2 and Durable Object storage, absolute. */
  data: string;
  /** Which requests have a line in the log. */
  logRequests?: 'ALL' | 'FAILED';
  /** End when stdin ends: the launcher holds its other end. */
  watchdog: boolean;
}

/** The configuration of this process. @throws Error with one line per mistake. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = Environment.safeParse(set);
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
    throw new Error(`the edge's environment is not complete:\n${lines.join('\n')}`);
  }
  const { API_URL, EDGE_KEY, ADMIN_SECRET, EDGE_PORT, HOST, EDGE_DATA, LOG_REQUESTS, ANNEAL_WATCHDOG } = parsed.data;
  return {
    apiUrl: API_URL,
    edgeKey: EDGE_KEY,
    adminSecret: ADMIN_SECRET,
    port: EDGE_PORT,
    host: HOST,
    data: path.resolve(EDGE_DATA),
    logRequests: LOG_REQUESTS,
    watchdog: ANNEAL_WATCHDOG === 'stdin',
  };
}

/** Miniflare reads these from the environment alone: run workerd through the wrapper, and call nobody. */
export function configureMiniflare(workerdWrapper: string): void {
  Object.assign(process.env, {
    MINIFLARE_WORKERD_PATH: workerdWrapper,
    CLOUDFLARE_CF_FETCH_ENABLED: 'false',
    WRANGLER_SEND_METRICS: 'false',
  });
}
