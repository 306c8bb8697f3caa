/**
 * Models warm in one heap: least recently used first out, loads shared between requests, a new heap only after a trap
 * (dropped heaps are freed late). Knows keys and bytes, not where bytes come from.
 */
import { isOutOfMemory, ORT_CODE, OrtError } from './errors.ts';
import type { OrtRuntime } from './runtime.ts';
import type { OrtSession } from './session.ts';

/** Model bytes kept warm. In a 96 MiB heap 24 MiB never failed in 1,500 random loads; 48 MiB failed 209 times. */
export const SESSION_BUDGET_BYTES = 24 * 2 ** 20;

/** A load or two can be evicted by others between load and run; more often than this the budget is far too small. */
const MAX_ATTEMPTS = 8;

/** Keeps a promise alive beyond the request that began it: workerd's ctx.waitUntil. */
export type Pin = (work: Promise<unknown>) => void;

export interface SessionCacheState {
  heapBytes: number;
  /** Keys of warm sessions, least recently used first. */
  sessions: string[];
  loads: number;
  evictions: number;
  /** Heaps given up after a trap. */
  resets: number;
}

export interface SessionCache {
  /**
   * Calls `fn` with the session of `key`, loaded if need be. `fn` is synchronous, as nothing may come between look-up
   * and run; it is called again when the heap was full and another session could be released.
   */
  with<T>(key: string, pin: Pin, fn: (session: OrtSession) => T): Promise<T>;
  state(): SessionCacheState;
}

export interface SessionCacheParts {
  createRuntime: () => Promise<OrtRuntime>;
  /** The model's bytes. Called once at a time per key; a rejection is forgotten. */
  fetchModel: (key: string) => Promise<Uint8Array>;
  budgetBytes?: number;
}

/** An empty cache; the runtime starts with the first load. */
export function createSessionCache(parts: SessionCacheParts): SessionCache {
  const cache = new Sessions(parts);
  return { with: (key, pin, fn) => cache.with(key, pin, fn), state: () => cache.state() };
}

class Sessions {
  readonly #parts: SessionCacheParts;
  readonly #budget: number;
  /** In order of use, the oldest first. */
  readonly #warm = new Map<string, { session: OrtSession; bytes: number }>();
  readonly #loading = new Map<string, Promise<void>>();
  #runtime: Promise<OrtRuntime> | undefined;
  #current: OrtRuntime | undefined;
  #counts = { loads: 0, evictions: 0, resets: 0 };

  constructor(parts: SessionCacheParts) {
    this.#parts = parts;
    this.#budget = parts.budgetBytes ?? SESSION_BUDGET_BYTES;
  }

  state(): SessionCacheState {
    return { heapBytes: this.#current?.heapBytes ?? 0, sessions: [...this.#warm.keys()], ...this.#counts };
  }

  async with<T>(key: string, pin: Pin, fn: (session: OrtSession) => T): Promise<T> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const session = this.#lookUp(key);
      if (session) return this.#freeing(key, () => fn(session)); // no await between look-up and run
      await this.#load(key, pin);
    }
    const message = `out of memory: the session of ${key} was evicted ${MAX_ATTEMPTS} times before it ran`;
    throw new OrtError(message, ORT_CODE.OUT_OF_MEMORY);
  }

  #lookUp(key: string): OrtSession | undefined {
    this.#dropAborted();
    const entry = this.#warm.get(key);
    if (!entry) return undefined;
    this.#warm.delete(key);
    this.#warm.set(key, entry);
    return entry.session;
  }

  /**
   * Requests that come meanwhile share the load. It is pinned, because work begun by a request dies with it in workerd:
   * without the pin a client that hangs up would break the load for everyone, for ever.
   */
  #load(key: string, pin: Pin): Promise<void> {
    const shared = this.#loading.get(key);
    if (shared) return shared;
    const loading = this.#fetchAndCreate(key).finally(() => this.#loading.delete(key));
    this.#loading.set(key, loading);
    pin(loading.catch(() => {}));
    return loading;
  }

  async #fetchAndCreate(key: string): Promise<void> {
    const model = await this.#parts.fetchModel(key);
    const runtime = await this.#liveRuntime(); // after the fetch: it may have been aborted meanwhile
    this.#evictUntil(model.byteLength);
    const session = this.#freeing(key, () => runtime.createSession(model));
    this.#counts.loads++;
    this.#warm.set(key, { session, bytes: model.byteLength });
  }

  #liveRuntime(): Promise<OrtRuntime> {
    this.#dropAborted();
    this.#runtime ??= this.#parts.createRuntime().then(
      (runtime) => {
        this.#current = runtime;
        return runtime;
      },
      (error) => {
        this.#runtime = undefined;
        throw error;
      },
    );
    return this.#runtime;
  }

  #dropAborted(): void {
    if (!this.#current?.aborted) return;
    this.#warm.clear();
    this.#current = undefined;
    this.#runtime = undefined;
    this.#counts.resets++;
  }

  #evictUntil(bytes: number): void {
    let total = bytes;
    for (const entry of this.#warm.values()) total += entry.bytes;
    for (const [key, entry] of this.#warm) {
      if (total <= this.#budget) return;
      total -= entry.bytes;
      this.#evict(key);
    }
  }

  #evict(key: string): void {
    this.#warm.get(key)?.session.release();
    this.#warm.delete(key);
    this.#counts.evictions++;
  }

  /** Runs `f`; while the heap is full, releases the oldest other session and tries again. */
  #freeing<T>(key: string, f: () => T): T {
    for (;;) {
      try {
        return f();
      } catch (error) {
        const oldest = [...this.#warm.keys()].find((other) => other !== key);
        if (!isOutOfMemory(error) || oldest === undefined) throw error;
        this.#evict(oldest);
      }
    }
  }
}
