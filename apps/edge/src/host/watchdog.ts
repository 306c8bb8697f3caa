/** The pipe by which workerd's wrapper notices that this process is gone. See workerd.sh. */
import { execFileSync } from 'node:child_process';
import { accessSync, chmodSync, closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';

/** What Miniflare is told to run in place of workerd. */
export const WORKERD_WRAPPER = path.join(import.meta.dirname, 'workerd.sh');

export interface Watchdog {
  /** A folder for this process's lifetime; the wrapper removes it too, should this process be killed. */
  folder: string;
  /** The wrapper's variables. */
  env: Record<string, string>;
  /** Tells the wrapper that the end has come. */
  close(): void;
}

/** Opens the pipe. The kernel closes it with this process, however that ends. */
export function openWatchdog(): Watchdog {
  makeExecutable(WORKERD_WRAPPER);
  const folder = mkdtempSync(path.join(os.tmpdir(), 'anneal-edge-'));
  const fifo = path.join(folder, 'alive');
  execFileSync('mkfifo', [fifo]);
  const descriptor = openSync(fifo, 'r+'); // reading too: opening for writing alone would wait for a reader
  let open = true;
  return {
    folder,
    env: { ANNEAL_EDGE_RUN: folder, ANNEAL_WORKERD: workerdPath() },
    close() {
      if (!open) return;
      open = false;
      closeSync(descriptor);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Archives and some copies lose the permission. */
function makeExecutable(file: string): void {
  try {
    accessSync(file, constants.X_OK);
  } catch {
    chmodSync(file, 0o755);
  }
}

/** The workerd that this Miniflare was made for. */
function workerdPath(): string {
  const miniflare = createRequire(import.meta.url).resolve('miniflare');
  const workerd: { default?: unknown } = createRequire(miniflare)('workerd');
  if (typeof workerd.default !== 'string') throw new Error('the package workerd does not say where its binary is');
  return workerd.default;
}
