/** The whole one-machine stack, started as a user starts it, in a data folder and on ports of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Connection } from '../../examples/client.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');

export interface StackFile {
  pid: number;
  api: string;
  edge: string;
  graphiql: string;
  keys: { admin: string };
}

export interface Stack extends StackFile {
  home: string;
  connection: Connection;
  launcher: ChildProcess;
  /** All that the launcher printed so far. */
  output(): string;
  /** SIGTERM, and waits for the end; the data folder stays unless `discard`. */
  stop(options?: { discard?: boolean }): Promise<void>;
}

/** Resolves when stack.json is there; rejects when the launcher ends before. */
async function stackFile(home: string, launcher: ChildProcess, output: () => string): Promise<StackFile> {
  const file = path.join(home, 'stack.json');
  const read = () => (existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as StackFile) : undefined);
  const watcher = watch(home);
  try {
    return await new Promise((resolve, reject) => {
      const look = () => {
        const found = read();
        if (found && found.pid === launcher.pid) resolve(found); // not what a killed launcher left
      };
      watcher.on('change', look);
      launcher.once('close', (code) => reject(new Error(`the stack ended with code ${code}:\n${output()}`)));
      look();
    });
  } finally {
    watcher.close();
  }
}

/** Starts it and waits until it is ready. The checkout must be set up (npm test and npm run bench see to that). */
export async function startStack(
  options: { home?: string; args?: string[]; env?: Record<string, string> } = {},
): Promise<Stack> {
  const home = options.home ?? mkdtempSync(path.join(tmpdir(), 'anneal-test-home-'));
  const args = [path.join(ROOT, 'tools/start.ts'), ...(options.args ?? ['--no-quickstart'])];
  const launcher = spawn(process.execPath, args, {
    env: { ...process.env, ...options.env, ANNEAL_HOME: home, API_PORT: '0', EDGE_PORT: '0', LOG_LEVEL: 'info' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [launcher.stdout, launcher.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk;
    });
  const file = await stackFile(home, launcher, () => output);
  return {
    ...file,
    home,
    connection: { api: file.api, edge: file.edge, key: file.keys.admin },
    launcher,
    output: () => output,
    async stop({ discard = options.home === undefined } = {}) {
      if (launcher.exitCode === null && launcher.signalCode === null) {
        const ended = new Promise((resolve) => launcher.once('close', resolve));
        launcher.kill('SIGTERM');
        await ended;
      }
      if (discard) discardHome(home);
    },
  };
}

/** Removes a data folder, and the database's where it had to live elsewhere. */
export function discardHome(home: string): void {
  const pointer = path.join(home, 'postgres.json');
  if (existsSync(pointer)) rmSync(JSON.parse(readFileSync(pointer, 'utf8')).path, { recursive: true, force: true });
  rmSync(home, { recursive: true, force: true });
}
