/** The default database: a private PostgreSQL (real binaries from an npm package) on a unix socket, no TCP port. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { type Account, accountForServer, serverBinaries } from './postgres-account.ts';

/** A running server: `url(database)` connects as its superuser. */
export interface EmbeddedPostgres {
  url(database?: string): string;
  /** False when another process of ours runs it; then `stop` does nothing. */
  started: boolean;
  stop(): Promise<void>;
}

/**
 * How long start and recovery may take before we give up; recovery after a crash replays at most a few WAL segments.
 */
const START_TIMEOUT_MS = 30_000;

const hash = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16);

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (e) {
    return e instanceof Error && 'code' in e && e.code === 'EPERM';
  }
}

async function reachable(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
  try {
    await client.connect();
    return true;
  } catch {
    return false; // not yet, or no longer: the caller decides which
  } finally {
    await client.end().catch(() => {});
  }
}

/**
 * True when a server of another process of ours answers; waits while a server that shuts down still holds the folder.
 */
async function alreadyRuns(dir: string, url: string): Promise<boolean> {
  const pidFile = path.join(dir, 'postmaster.pid');
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (existsSync(pidFile)) {
    const pid = Number.parseInt(readFileSync(pidFile, 'utf8'), 10);
    if (!pid || !alive(pid)) return false; // left by a crash: the server cleans it up itself
    if (await reachable(url)) return true;
    if (Date.now() > deadline) throw new Error(`PostgreSQL (pid ${pid}) holds ${dir} but does not answer: stop it`);
    await delay(50);
  }
  return false;
}

function initialise(dir: string, bin: string, as: Account, durable: boolean): void {
  if (existsSync(path.join(dir, 'PG_VERSION'))) return;
  const options = ['-D', dir, '-U', 'postgres', '--auth=trust', '-E', 'UTF8', '--locale=C', '--no-instructions'];
  execFileSync(path.join(bin, 'initdb'), [...options, ...(durable ? [] : ['--no-sync'])], {
    ...as,
    cwd: dir,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

// The shell waits on a pipe from us: when this process ends, however it ends, the pipe closes and the server stops
// cleanly.
const WATCHDOG = '"$0" "$@" </dev/null & p=$!; trap "" INT TERM; read _; kill -INT $p; wait $p';

function launch(dir: string, sockets: string, bin: string, as: Account, durable: boolean): ChildProcess {
  const settings = {
    listen_addresses: '',
    unix_socket_directories: sockets,
    unix_socket_permissions: '0700',
    shared_buffers: '64MB',
    max_connections: '100',
    // a throw-away server (tests) may lose its last second in a power cut
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return spawn('sh', ['-c', WATCHDOG, path.join(bin, 'postgres'), '-D', dir, ...flags], {
    ...as,
    cwd: dir,
    detached: true, // Ctrl-C reaches us, not the server: we stop it after the last query
    stdio: ['pipe', 'ignore', 'pipe'],
  });
}

/**
 * Starts (or finds) the server whose data lives in `folder`.
 * @throws Error with the server's own log when it does not start within 30 s.
 */
export async function embeddedPostgres(folder: string, { durable = true } = {}): Promise<EmbeddedPostgres> {
  const dir = path.resolve(folder);
  const sockets = path.join(tmpdir(), `pg-${hash(dir)}`); // a socket path has at most 107 bytes
  const url = (database = 'postgres') =>
    `postgresql://postgres@localhost/${database}?host=${encodeURIComponent(sockets)}`;
  if (existsSync(dir) && (await alreadyRuns(dir, url()))) return { url, started: false, stop: async () => {} };
  const as = accountForServer();
  const bin = await serverBinaries(as);
  for (const d of [dir, sockets]) {
    mkdirSync(d, { recursive: true, mode: 0o700 });
    chmodSync(d, 0o700); // what initdb and the server insist on
    if (as) chownSync(d, as.uid, as.gid);
  }
  initialise(dir, bin, as, durable);
  const child = launch(dir, sockets, bin, as, durable);
  let log = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    log = (log + chunk).slice(-8000);
  });
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  for (const deadline = Date.now() + START_TIMEOUT_MS; !(await reachable(url())); await delay(25))
    if (child.exitCode !== null || Date.now() > deadline)
      throw new Error(`The embedded PostgreSQL in ${dir} did not start:\n${log}`);
  unref(child);
  const stop = async () => {
    child.ref();
    child.stdin?.end();
    await gone;
    rmSync(sockets, { recursive: true, force: true });
  };
  return { url, started: true, stop };
}

/** The server must not keep our event loop alive. */
function unref(child: ChildProcess): void {
  child.unref();
  for (const stream of [child.stdin, child.stderr])
    if (stream && 'unref' in stream && typeof stream.unref === 'function') stream.unref();
}
