/** One supervised child process: ready line, log file, restart, orderly end. Knows nothing of what the child does. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';

/** After a crash the child comes back this soon; doubled for every further crash within a minute. */
const RESTART_MS = 200;
const MAX_RESTART_MS = 10_000;
/** How long a child may take to end in order before it is killed. */
const GRACE_MS = 8000;

export interface Supervised {
  /** The first JSON line with `ready: true` that the child printed. */
  ready: Promise<Record<string, unknown>>;
  stop(): Promise<void>;
}

export interface ChildOptions {
  name: string;
  /** Node's arguments: the entry file and its own. */
  args: string[];
  env: Record<string, string | undefined>;
  cwd: string;
  logFolder: string;
  /** Told when the child ended by itself after it was ready. */
  onRestart?: (name: string, how: string) => void;
}

/**
 * Starts the child with our end of a pipe as its standard input: when we end, however we end, the pipe closes and the
 * child (started with ANNEAL_WATCHDOG=stdin) ends too. It runs in a session of its own, so that Ctrl-C reaches only us.
 */
export function supervise(options: ChildOptions): Supervised {
  mkdirSync(options.logFolder, { recursive: true });
  const log = createWriteStream(path.join(options.logFolder, `${options.name}.log`), { flags: 'a' });
  let child: ChildProcess | undefined;
  let stopping = false;
  let crashes = 0;
  let timer: NodeJS.Timeout | undefined;
  const { promise: ready, resolve, reject } = Promise.withResolvers<Record<string, unknown>>();
  let isReady = false;

  const start = () => {
    const started = Date.now();
    let tail = '';
    child = spawn(process.execPath, options.args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env, ANNEAL_WATCHDOG: 'stdin' },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      tail = (tail + chunk).slice(-4000);
      log.write(chunk);
    });
    if (child.stdout)
      createInterface({ input: child.stdout }).on('line', (line) => {
        const said = parseReady(line);
        if (said) {
          isReady = true;
          resolve(said);
        } else log.write(`${line}\n`);
      });
    child.once('close', (code, signal) => {
      if (stopping) return;
      const how = signal ? `killed by ${signal}` : `ended with code ${code}`;
      if (!isReady) return reject(new Error(`${options.name} ${how} before it was ready:\n${tail.trim()}`));
      crashes = Date.now() - started > 60_000 ? 0 : crashes + 1;
      options.onRestart?.(options.name, how);
      timer = setTimeout(start, Math.min(RESTART_MS * 2 ** (crashes - 1), MAX_RESTART_MS));
    });
  };
  start();
  return {
    ready,
    async stop() {
      stopping = true;
      clearTimeout(timer);
      const ended = child;
      if (ended && ended.exitCode === null && ended.signalCode === null) await endChild(ended);
      log.end();
    },
  };
}

async function endChild(child: ChildProcess): Promise<void> {
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
  await gone;
  clearTimeout(timer);
}

function parseReady(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const said: Record<string, unknown> = JSON.parse(line);
    return said.ready === true ? said : undefined;
  } catch {
    return undefined; // a line of ordinary output
  }
}
