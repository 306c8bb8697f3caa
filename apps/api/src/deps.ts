/** What every verb may use, named once; main.ts and the tests compose it. Knows only interfaces. */
import type { Readable } from 'node:stream';
import type { PrismaClient } from './generated/prisma/client.ts';

/** Content-addressed bytes: a name is the sha256 of what it names, so nothing is ever overwritten. */
export interface BlobStore {
  /** Streams the bytes in. @throws BlobTooLarge when there are more than maxBytes; then nothing is kept. */
  put(
    source: Readable | AsyncIterable<Uint8Array>,
    options: { maxBytes: number },
  ): Promise<{ digest: string; byteLength: number }>;
  /** Byte length, or undefined when absent. */
  stat(digest: string): Promise<{ byteLength: number } | undefined>;
  /** A stream of the bytes. @throws BlobMissing */
  open(digest: string): Promise<Readable>;
  /** All bytes, digest verified. @throws BlobMissing, BlobCorrupt */
  read(digest: string): Promise<Uint8Array>;
  /** A local file that holds the bytes, for readers that need one (worker threads). Released files may be deleted. */
  file(digest: string): Promise<{ path: string; release(): Promise<void> }>;
}

/** Short-lived URLs that need no key: HMAC over method, path and expiry. */
export interface UrlSigner {
  /** Absolute URL for a path such as /uploads/<id> or /blobs/<digest>. */
  sign(input: { method: 'GET' | 'PUT'; path: string; expiresAt: Date; baseUrl?: string }): string;
}

/** Live updates: ids only, rows are re-read. */
export interface PubSub {
  publish(topic: Topic, id: string): Promise<void>;
  /** Ids published under the topic from now on; ends with the signal. */
  subscribe(topic: Topic, options?: { id?: string; signal?: AbortSignal }): AsyncIterableIterator<string>;
}
/** run: a run changed (id = run). queue: runs were queued (id = run or experiment). */
export type Topic = 'run' | 'queue';

/** One JSON line per call. */
export interface Logger {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/** The edge as the API sees it; the implementation signs every push. */
export interface EdgeTarget {
  /** Base URL of the edge, e.g. http://127.0.0.1:8787 . */
  url: string;
  adminSecret: string;
  /** Milliseconds that a deploy waits for the edge's acknowledgement; 10,000 when absent. */
  waitMs?: number;
}

export interface Deps {
  prisma: PrismaClient;
  blobs: BlobStore;
  signer: UrlSigner;
  pubsub: PubSub;
  edge: EdgeTarget;
  log: Logger;
  /** The API's own base URL as clients reach it. */
  publicUrl: string;
  now(): Date;
}
