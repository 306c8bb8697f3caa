/** Load on an HTTP server from a thread of its own: connections that each send one request after the other. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

export interface LoadOptions {
  url: string;
  headers: Record<string, string>;
  /** Posted again and again. */
  body: string;
  /** Kept alive, each with one request at a time. */
  connections: number;
}

/** One answered request, or one that failed. */
export interface Answered {
  /** 0 when there was no answer. */
  status: number;
  body: string;
  milliseconds: number;
}

export interface Load {
  /** Stops after the answers that are under way. Answers per connection, in order. */
  stop(): Promise<Answered[][]>;
}

/** Begins at once. */
export function startLoad(options: LoadOptions): Load {
  const worker = new Worker(new URL('./load-worker.ts', import.meta.url), { workerData: options });
  return {
    async stop() {
      const answers = once(worker, 'message');
      worker.postMessage('stop');
      const [all]: Answered[][][] = await answers;
      return all ?? [];
    },
  };
}

/** The value that the share q of the numbers does not exceed. */
export function quantile(numbers: readonly number[], q: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}
