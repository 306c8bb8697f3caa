/** The console's static door over a small folder that looks like a build. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createConsole } from './console.ts';

const room = mkdtempSync(path.join(tmpdir(), 'console-'));
const folder = path.join(room, 'dist');
mkdirSync(path.join(folder, 'assets', 'deeper'), { recursive: true });
writeFileSync(path.join(folder, 'index.html'), '<!doctype html><title>Anneal</title>');
writeFileSync(path.join(folder, 'assets', 'main-abc123.js'), 'export {};');
writeFileSync(path.join(folder, 'assets', 'main-abc123.css'), 'body {}');
writeFileSync(path.join(folder, 'assets', '.hidden.js'), 'secret');
writeFileSync(path.join(folder, 'assets', 'deeper', 'x.js'), 'secret');
writeFileSync(path.join(folder, 'secret.txt'), 'secret');
writeFileSync(path.join(room, 'secret.txt'), 'secret');
afterAll(() => rmSync(room, { recursive: true }));

const console_ = createConsole({ folder });
const ask = (target: string, method = 'GET') => console_(new Request(`http://localhost:4000${target}`, { method }));

describe('the static door of the console', () => {
  it('leads / and /graphiql to /graphiql/', async () => {
    for (const target of ['/', '/graphiql']) {
      const response = await ask(target);
      expect([response?.status, response?.headers.get('location')]).toEqual([302, '/graphiql/']);
    }
    expect((await ask('/graphiql?token=t'))?.headers.get('location')).toBe('/graphiql/?token=t');
  });

  it('serves the page uncached and forbids every other origin', async () => {
    const response = await ask('/graphiql/');
    expect(response?.status).toBe(200);
    expect(await response?.text()).toContain('<title>Anneal</title>');
    expect(response?.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response?.headers.get('cache-control')).toBe('no-cache');
    expect(response?.headers.get('content-security-policy')).toMatch(/^default-src 'self'; script-src 'self';/);
    expect(response?.headers.get('content-security-policy')).not.toMatch(/https?:|\*/);
    expect(response?.headers.get('referrer-policy')).toBe('no-referrer');
  });

  it('serves hashed assets by type, cached for good', async () => {
    const script = await ask('/graphiql/assets/main-abc123.js');
    expect(await script?.text()).toBe('export {};');
    expect(script?.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(script?.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect((await ask('/graphiql/assets/main-abc123.css'))?.headers.get('content-type')).toMatch(/^text\/css/);
  });

  it('answers HEAD as GET without the body', async () => {
    const response = await ask('/graphiql/assets/main-abc123.js', 'HEAD');
    expect([response?.status, response?.headers.get('content-length'), response?.body]).toEqual([200, '10', null]);
  });

  it.each([
    '/graphiql/assets/..%2Fsecret.txt',
    '/graphiql/assets/%2e%2e%2f%2e%2e%2fsecret.txt',
    '/graphiql/assets/..%5Csecret.txt',
    '/graphiql/..%2Fsecret.txt',
    '/graphiql/secret.txt',
    '/graphiql/assets/.hidden.js',
    '/graphiql/assets/deeper/x.js',
    '/graphiql/assets/deeper',
    '/graphiql/assets/%00',
    '/graphiql/assets/',
    '/graphiql/assets//etc/passwd',
    '/graphiql/assets/none.js',
  ])('finds nothing at %s', async (target) => {
    const response = await ask(target);
    expect(response?.status).toBe(404);
    expect(await response?.text()).not.toContain('secret');
  });

  it('leaves every other path to the other doors', async () => {
    for (const target of ['/graphql', '/graphiqlx', '/graphiql/../graphql', '/healthz']) {
      expect(await ask(target)).toBeUndefined();
    }
  });

  it('refuses other methods', async () => {
    const response = await ask('/graphiql/', 'POST');
    expect([response?.status, response?.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  it('says how to build a console that is not built', async () => {
    const unbuilt = createConsole({ folder: path.join(room, 'nowhere') });
    const response = await unbuilt(new Request('http://localhost:4000/graphiql/'));
    expect(response?.status).toBe(503);
    expect(await response?.text()).toContain('npm run build');
  });
});
