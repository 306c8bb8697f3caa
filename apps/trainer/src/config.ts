/** The trainer's configuration: the only file of this app that reads the environment. Complete or not at all. */
import { hostname } from 'node:os';
import { z } from 'zod';

const Environment = z.object({
  API_URL: z.url({ protocol: /^https?$/, error: 'expected the full http(s) URL that takes GraphQL POSTs' }),
  TRAINER_KEY: z.string('expected a key with the scope "train"').min(1, 'expected a key with the scope "train"'),
  TRAINER_NAME: z.string().min(1).max(200).optional(),
  CHECKPOINT_SECONDS: z.coerce.number('expected seconds, 0 or more').min(0).default(30),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  ANNEAL_WATCHDOG: z.enum(['stdin']).optional(),
});

/** Parsed and complete. */
export interface Config {
  apiUrl: string;
  key: string;
  /** How this trainer calls itself when it claims a run. */
  name: string;
  /** Training time between two saved states: what a killed trainer loses at most. */
  checkpointSeconds: number;
  logLevel: z.infer<typeof Environment>['LOG_LEVEL'];
  /** End when stdin ends: whoever started this process holds the other side of the pipe. */
  watchdog: 'stdin' | null;
}

/** Reads the configuration. @throws Error that lists every mistake at once. */
export function readConfig(environment: Record<string, string | undefined> = process.env): Readonly<Config> {
  const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = Environment.safeParse(set);
  if (!parsed.success) {
    const mistakes = parsed.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
    throw new Error(`The trainer's environment is not complete:\n${mistakes.join('\n')}`);
  }
  const { API_URL, TRAINER_KEY, TRAINER_NAME, CHECKPOINT_SECONDS, LOG_LEVEL, ANNEAL_WATCHDOG } = parsed.data;
  return Object.freeze({
    apiUrl: API_URL,
    key: TRAINER_KEY,
    name: TRAINER_NAME ?? `${hostname()}-${process.pid}`,
    checkpointSeconds: CHECKPOINT_SECONDS,
    logLevel: LOG_LEVEL,
    watchdog: ANNEAL_WATCHDOG ?? null,
  });
}
