import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ADMIN_SECRET, EDGE_KEY } from './stand.ts';

const EDGE = path.resolve(import.meta.dirname, '..');
const BASE_ENV = { PATH: process.env.PATH };
type Host = ChildProcessByStdio<Writable, Readable, Readable>;

let data = '';
beforeAll(() => {
  data = mkdtempSync(path.join(os.tmpdir(), 'anneal-edge-test-'));
});
afterAll(() => rmSync(data, { recursive: true, force: true }));

function startHost(env: Record<string, string> = {}): Host {
  const variables = { API_URL: 'http://127.0.0.1:9', EDGE_KEY, ADMIN_SECRET, EDGE_PORT: '0', EDGE_DATA: data, ...env };
  return spawn(process.execPath, [path.join(EDGE, 'src/host.ts')], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...BASE_ENV, ...variables },
  });
}

async function readyUrl(host: Host): Promise<string> {
  const [line] = await once(readline.createInterface(host.stdout), 'line');
  const { ready, url }: { ready: boolean; url: string } = JSON.parse(line);
  expect(ready).toBe(true);
  return url;
}

/** Living descendants of a process; zombies have ended. */
function descendants(of: number): number[] {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const [, state, parent] = /^\d+ \(.*\) (\S) (\d+) /s.exec(stat(pid)) ?? [];
      return Number(parent) === of && state !== 'Z' ? [Number(pid)] : [];
    });
  return children.flatMap((pid) => [pid, ...descendants(pid)]);
}
const stat = (pid: number | string) => {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return ''; // ended meanwhile
  }
};
const lives = (pid: number) => /^\d+ \(.*\) [^Z] /s.test(stat(pid));

async function allEnded(pids: number[], withinMs: number): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (pids.some(lives) && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(pids.filter(lives)).toEqual([]);
}

describe.skipIf(process.platform !== 'linux')('the self-hosted process', () => {
  test.each<['SIGKILL' | 'SIGTERM' | 'SIGINT', number | null]>([
    ['SIGTERM', 0],
    ['SIGINT', 0],
    ['SIGKILL', null],
  ])('serves until %s, and leaves no process and no folder', async (signal, code) => {
    const folders = () => readdirSync(os.tmpdir()).filter((name) => /^anneal-edge-[^-]*$/.test(name));
    const host = startHost();
    const url = await readyUrl(host);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    const pids = descendants(host.pid ?? 0);
    expect(pids.length).toBeGreaterThanOrEqual(2); // workerd and its watchdog
    const mine = pids.map((pid) => readFileSync(`/proc/${pid}/environ`, 'utf8').match(/ANNEAL_EDGE_RUN=([^\0]+)/)?.[1]);
    const folder = path.basename(mine.find((name) => name !== undefined) ?? '');
    expect(folders()).toContain(folder);
    host.kill(signal);
    expect(await once(host, 'exit')).toEqual([code, code === null ? signal : null]);
    await allEnded(pids, 5_000);
    expect(folders()).not.toContain(folder);
  });

  test('ends with its stdin where it is told to', async () => {
    const host = startHost({ ANNEAL_WATCHDOG: 'stdin' });
    await readyUrl(host);
    const pids = descendants(host.pid ?? 0);
    host.stdin.end();
    expect(await once(host, 'exit')).toEqual([0, null]);
    await allEnded(pids, 5_000);
  });

  test('says that its port is taken', async () => {
    const other = net.createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const address = other.address();
    const port = typeof address === 'object' ? String(address?.port) : '';
    const host = startHost({ EDGE_PORT: port });
    const [errors, [code]] = await Promise.all([host.stderr.toArray(), once(host, 'exit')]);
    other.close();
    expect(code).toBe(1);
    expect(errors.join('')).toContain(`port ${port} of 127.0.0.1 is taken: set EDGE_PORT to another one`);
  });

  test('says all that its environment lacks', async () => {
    const host = startHost({ API_URL: 'api', EDGE_KEY: '', EDGE_PORT: '99999' });
    const [errors, [code]] = await Promise.all([host.stderr.toArray(), once(host, 'exit')]);
    expect(code).toBe(1);
    for (const name of ['API_URL', 'EDGE_KEY', 'EDGE_PORT']) expect(errors.join('')).toContain(`  ${name}: `);
  });
});
