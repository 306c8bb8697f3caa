/** `npm start`: what it leaves behind when it ends, in order or not, and that a second start keeps the data. */
import { chmodSync, mkdtempSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createDataset, graphql } from '../examples/client.ts';
import { processesOf } from './testkit/processes.ts';
import { discardHome, startStack } from './testkit/stack.ts';

describe('npm start', () => {
  // root's folders of mode 0700 cannot be entered by the account that PostgreSQL runs under
  const home = mkdtempSync(path.join(tmpdir(), 'anneal-test-home-'));
  chmodSync(home, 0o700);
  afterAll(() => discardHome(home));

  it('writes stack.json for its owner alone, and its keys work', async () => {
    const stack = await startStack({ home });
    expect(statSync(path.join(home, 'stack.json')).mode & 0o777).toBe(0o600);
    expect(statSync(path.join(home, 'secrets.json')).mode & 0o777).toBe(0o600);
    await createDataset(stack.connection, 'kept');
    if (process.getuid?.() === 0)
      expect(readFileSync(path.join(home, 'logs/api.log'), 'utf8')).toContain('its data lives elsewhere');
    expect(processesOf(home).length).toBeGreaterThanOrEqual(4);
    await stack.stop();
    expect(processesOf(home)).toEqual([]);
  });

  it('keeps the data over a restart, and kill -9 of the launcher leaves no process', async () => {
    const stack = await startStack({ home });
    const { datasets } = await graphql<{ datasets: { nodes: { name: string }[] } }>(
      stack.connection,
      '{ datasets(first: 10) { nodes { name } } }',
    );
    expect(datasets.nodes).toEqual([{ name: 'kept' }]);
    process.kill(stack.pid, 'SIGKILL');
    await expect.poll(() => processesOf(home), { timeout: 5000 }).toEqual([]);
  });

  it('starts again after that', async () => {
    const stack = await startStack({ home });
    await expect(fetch(new URL('/healthz', stack.api))).resolves.toMatchObject({ status: 200 });
    await stack.stop();
  });
});
