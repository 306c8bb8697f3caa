/** The Worker in the hands of wrangler: bundled for a deployment, started, and served by `wrangler dev`. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { binaryManifest, routeOf, sha256 } from './manifests.ts';
import { binaryModel } from './models.ts';
import { ADMIN_SECRET, CLIENT_KEY, EDGE_KEY, pushes } from './stand.ts';

const EDGE = path.resolve(import.meta.dirname, '..');
const WRANGLER = path.join(
  path.dirname(createRequire(import.meta.url).resolve('wrangler/package.json')),
  'bin/wrangler.js',
);

let home = '';
let dev: ChildProcess | undefined;
beforeAll(() => {
  home = mkdtempSync(path.join(os.tmpdir(), 'anneal-wrangler-test-'));
});
afterAll(async () => {
  if (dev && dev.exitCode === null && dev.kill()) await once(dev, 'exit');
  rmSync(home, { recursive: true, force: true });
});

const options = () => ({
  cwd: EDGE,
  env: {
    // This Node first: wrangler's build command starts `node`.
    PATH: `${path.dirname(process.execPath)}:${process.env.PATH}`,
    HOME: home,
    CI: 'true',
    WRANGLER_SEND_METRICS: 'false',
    CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  },
});
const wrangler = async (...args: string[]) =>
  (await promisify(execFile)(process.execPath, [WRANGLER, ...args], options())).stdout;

test('accepts the Worker for deployment, with all that it is bound to', { timeout: 60_000 }, async () => {
  const stdout = await wrangler('deploy', '--dry-run', '--outdir', path.join(home, 'out'));
  expect(stdout).toContain('--dry-run: exiting now.');
  for (const binding of ['OUTBOX (Outbox)', 'LIMITER (Limiter)', 'ARTIFACTS (anneal-artifacts)'])
    expect(stdout).toContain(`env.${binding}`);
  // Cloudflare takes 10 MB (Workers Paid).
  const [, kib] = /gzip: ([\d.]+) KiB/.exec(stdout) ?? [];
  expect(Number(kib)).toBeLessThan(10 * 1024);
});

test('starts the Worker', { timeout: 60_000 }, async () => {
  const stdout = await wrangler('check', 'startup', '--outfile', path.join(home, 'startup.cpuprofile'));
  expect(stdout).toContain('Startup phase analysed');
  // Cloudflare gives a Worker a second; its models and its runtime come later.
  const [, ms] = /Active: ([\d.]+) ms/.exec(stdout) ?? [];
  expect(Number(ms)).toBeLessThan(1_000);
});

test('serves predictions in development, limits included', { timeout: 60_000 }, async () => {
  const variables = { API_URL: 'http://127.0.0.1:9', EDGE_KEY, ADMIN_SECRET };
  const vars = Object.entries(variables).flatMap(([name, value]) => ['--var', `${name}:${value}`]);
  const ports = ['--port', '0', '--inspector-port', '0', '--persist-to', path.join(home, 'state')];
  dev = spawn(process.execPath, [WRANGLER, 'dev', ...ports, ...vars], {
    ...options(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [dev.stdout, dev.stderr])
    stream?.on('data', (chunk: Buffer) => {
      output += chunk;
    });
  const url = () => /Ready on (http:\/\/\S+)/.exec(output)?.[1] ?? '';
  await expect.poll(url, { timeout: 40_000 }).not.toBe('');
  const model = binaryModel();
  const { pushArtifact, pushRoute } = pushes(url);
  expect((await pushArtifact(model)).status).toBe(200);
  const key = { sha256: sha256(CLIENT_KEY), scopes: ['predict' as const], requestsPerDay: 2 };
  expect((await pushRoute(routeOf('titanic', 1, [[binaryManifest(model), 1]], [key]))).status).toBe(200);
  const predict = () =>
    fetch(`${url()}/v1/endpoints/titanic/predict`, {
      method: 'POST',
      headers: { authorization: `Bearer ${CLIENT_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ instances: [{ age: 30, sex: 'male' }] }),
    });
  expect((await predict()).headers.get('ratelimit')).toMatch(/^"day";r=1;/);
  expect([(await predict()).status, (await predict()).status]).toEqual([200, 429]);
});
