/** Every variable that the API reads, parsed once: complete, or one message with all mistakes. */
import path from 'node:path';
import { z } from 'zod';

const CHECKOUT = path.resolve(import.meta.dirname, '../../..');

const Port = z.coerce.number().int().min(0).max(65535);
const Secret = z.string().min(16, 'at least 16 characters');
const list = (text: string) => text.split(',').flatMap((part) => part.trim() || []);

const Variables = z.object({
  ANNEAL_HOME: z.string().default(path.join(CHECKOUT, '.anneal')),
  HOST: z.string().default('127.0.0.1'),
  API_PORT: Port.default(4000),
  /** How clients reach the API; derived from HOST and API_PORT when absent. */
  PUBLIC_URL: z.url().optional(),
  /** Host headers that the console accepts beside loopback names, comma-separated. */
  ALLOWED_HOSTS: z.string().default('').transform(list),
  DATABASE_URL: z.url().optional(),
  BLOBS: z.string().optional(),
  EDGE_URL: z.url().default('http://127.0.0.1:8787'),
  EDGE_ADMIN_SECRET: Secret,
  SIGNING_SECRET: Secret,
  ADMIN_KEY: Secret,
  TRAINER_KEY: Secret,
  EDGE_KEY: Secret,
  EVENT_RETENTION_DAYS: z.coerce.number().positive().default(30),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  /** "stdin": end when standard input ends, so that no process outlives its launcher. */
  ANNEAL_WATCHDOG: z.enum(['stdin']).optional(),
});

export type Config = Readonly<{
  home: string;
  host: string;
  port: number;
  publicUrl: string | undefined;
  allowedHosts: readonly string[];
  databaseUrl: string | undefined;
  blobs: string;
  edge: { url: string; adminSecret: string };
  signingSecret: string;
  keys: { admin: string; trainer: string; edge: string };
  eventRetentionDays: number;
  logLevel: z.infer<typeof Variables>['LOG_LEVEL'];
  watchdog: boolean;
}>;

/** Reads the environment. @throws Error that lists every variable that is missing or wrong. */
export function readConfig(env: Record<string, string | undefined> = process.env): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = Variables.safeParse(given);
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
    throw new Error(`The API's configuration is not complete (see docs/deploy.md):\n${lines.join('\n')}`);
  }
  const v = parsed.data;
  return Object.freeze({
    home: v.ANNEAL_HOME,
    host: v.HOST,
    port: v.API_PORT,
    publicUrl: v.PUBLIC_URL?.replace(/\/$/, ''),
    allowedHosts: v.ALLOWED_HOSTS,
    databaseUrl: v.DATABASE_URL,
    blobs: v.BLOBS ?? path.join(v.ANNEAL_HOME, 'blobs'),
    edge: { url: v.EDGE_URL.replace(/\/$/, ''), adminSecret: v.EDGE_ADMIN_SECRET },
    signingSecret: v.SIGNING_SECRET,
    keys: { admin: v.ADMIN_KEY, trainer: v.TRAINER_KEY, edge: v.EDGE_KEY },
    eventRetentionDays: v.EVENT_RETENTION_DAYS,
    logLevel: v.LOG_LEVEL,
    watchdog: v.ANNEAL_WATCHDOG === 'stdin',
  });
}
