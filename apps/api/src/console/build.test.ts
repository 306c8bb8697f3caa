/** The console as it is shipped: builds, and its door serves every file that the page names. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { build } from 'vite';
import { afterAll, expect, it } from 'vitest';
import { createConsole } from '../http/console.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'console-build-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('builds into files that its door serves, and names no other origin', { timeout: 60_000 }, async () => {
  await build({ configFile: path.join(import.meta.dirname, 'vite.config.ts'), build: { outDir: folder } });
  const door = createConsole({ folder });
  const get = async (target: string) => await door(new Request(`http://localhost:4000${target}`));

  const html = (await (await get('/graphiql/'))?.text()) ?? '';
  expect(html).toContain('<title>Anneal</title>');
  const links = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, link]) => link ?? '');
  const files = links.filter((link) => !link.startsWith('data:'));
  expect(files.length).toBeGreaterThanOrEqual(2);
  for (const file of files) expect(file).toMatch(/^\/graphiql\/assets\//);

  const assets = readdirSync(path.join(folder, 'assets'));
  expect(assets.filter((name) => name.endsWith('.map'))).toEqual([]);
  for (const name of assets) {
    const response = await get(`/graphiql/assets/${name}`);
    expect([name, response?.status]).toEqual([name, 200]);
    expect(response?.headers.get('content-type')).not.toBe('application/octet-stream');
  }
});
