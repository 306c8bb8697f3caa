/**
 * What the Worker is bound to, and the few interfaces of Cloudflare's runtime that the edge uses (their full types
 * are a package of their own). wrangler.jsonc and host/ make these bindings.
 */
import type { KeyLimits, Lease } from './lease.ts';

export interface Env {
  /** Holds artifacts/<digest>.onnx and routes/<endpoint>.json. */
  ARTIFACTS: R2Bucket;
  OUTBOX: OutboxNamespace;
  /** One object per limited key, by its sha256. */
  LIMITER: LimiterNamespace;
  /** ALL: a log line for every request. Else for those that failed. */
  LOG_REQUESTS?: string;
  /** Where prediction events go, e.g. https://api.example.com. */
  API_URL: string;
  /** The key, of scope edge, that sends events. */
  EDGE_KEY: string;
  /** Signs the API's pushes; shared with the API alone. */
  ADMIN_SECRET: string;
}

export interface ExecutionContext {
  waitUntil(work: Promise<unknown>): void;
}

export interface R2Object {
  size: number;
  etag: string;
}

export interface R2ObjectBody extends R2Object {
  body: ReadableStream<Uint8Array>;
  arrayBuffer(): Promise<ArrayBuffer>;
  text(): Promise<string>;
}

export interface R2Bucket {
  head(key: string): Promise<R2Object | null>;
  get(key: string): Promise<R2ObjectBody | null>;
  /** Without a body when the condition is not met. */
  get(key: string, options: { onlyIf: { etagDoesNotMatch: string } }): Promise<R2ObjectBody | R2Object | null>;
  /** null when the condition is not met. A stream's length must be known. */
  put(key: string, value: ReadableStream | string, options?: R2PutOptions): Promise<R2Object | null>;
  delete(key: string): Promise<void>;
}

export interface R2PutOptions {
  /** Refuses the object when its sha256 (hex) is another. */
  sha256?: string;
  onlyIf?: { etagMatches: string } | { etagDoesNotMatch: string };
}

export interface OutboxNamespace {
  getByName(name: string): { append(bodies: string[]): Promise<void> };
}

export interface LimiterNamespace {
  getByName(name: string): { lease(limits: KeyLimits): Promise<Lease> };
}

export type SqlValue = string | number | null;
export interface DurableObjectStorage {
  sql: { exec(query: string, ...bindings: SqlValue[]): Iterable<Record<string, SqlValue>> };
  getAlarm(): Promise<number | null>;
  setAlarm(time: number): Promise<void>;
}

export interface DurableObjectState {
  storage: DurableObjectStorage;
}
