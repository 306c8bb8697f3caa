import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { column, runSpec, table } from './data/testing.ts';
import { KEY, PlayedApi } from './worker/testing.ts';

const small = table(
  [column('a', [1, 2, 3, 4, 5, 6])],
  ['x', 'y', 'x', 'y', 'x', 'y'],
  ['TRAIN', 'TRAIN', 'TRAIN', 'TRAIN', 'TEST', 'TEST'],
);
const endless = runSpec(small, { budget: { maxEpochs: 100_000, maxSeconds: null, patience: null } });

let played: PlayedApi;
let trainer: ChildProcess;
let stderr: string;

function start(environment: Record<string, string>): void {
  const program = fileURLToPath(new URL('./main.ts', import.meta.url));
  trainer = spawn(process.execPath, [program], { env: environment, stdio: ['pipe', 'ignore', 'pipe'] });
  stderr = '';
  trainer.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
}
/** The job processes write to the same pipe, so it closes only when the last of them is gone. */
const allGone = () => once(trainer, 'close');

beforeEach(async () => {
  played = await PlayedApi.start();
});
afterEach(async () => {
  trainer.kill('SIGKILL');
  await played.close();
});

describe('the trainer process', () => {
  test('names every mistake of its environment at once', async () => {
    start({ API_URL: 'localhost', LOG_LEVEL: 'loud' });
    expect(await allGone()).toEqual([1, null]);
    for (const name of ['API_URL', 'TRAINER_KEY', 'LOG_LEVEL']) expect(stderr).toContain(`  ${name}: `);
  });

  test.each([
    ['SIGTERM', () => trainer.kill('SIGTERM'), [0, null]],
    ['the end of its watchdog pipe', () => trainer.stdin?.end(), [0, null]],
    ['SIGKILL', () => trainer.kill('SIGKILL'), [null, 'SIGKILL']],
  ])('%s ends it and its job, and leaves the run to its lease', async (_how, end, code) => {
    const run = played.queue('left', small, endless);
    start({ API_URL: played.url, TRAINER_KEY: KEY, ANNEAL_WATCHDOG: 'stdin' });
    await played.until(() => run.points.length > 0);
    const gone = allGone();
    end();
    expect(await gone).toEqual(code);
    expect({ status: run.status, error: run.error }).toEqual({ status: 'RUNNING', error: null });
  });
});
