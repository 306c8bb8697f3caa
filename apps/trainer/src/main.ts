/** The trainer's process: reads the configuration, runs the loop until a signal or the watchdog ends it. */
import { readConfig } from './config.ts';
import { Api } from './worker/api.ts';
import { createLog } from './worker/log.ts';
import { runTrainer } from './worker/loop.ts';

/** What this trainer can run; the API gives it only such runs. */
const ENGINES = ['ORT_CPU'];

async function main(): Promise<void> {
  const config = readConfig();
  const log = createLog(config.logLevel);
  const end = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => end.abort());
  if (config.watchdog === 'stdin') process.stdin.once('end', () => end.abort()).resume();

  const onRetry = (problem: string, waitMs: number) => log.warn('the API did not answer', { problem, waitMs });
  const api = new Api({ url: config.apiUrl, key: config.key, onRetry });
  log.info('trainer ready', { trainer: config.name, api: config.apiUrl });
  process.stdout.write(`${JSON.stringify({ ready: true, name: config.name })}\n`); // for whoever supervises us
  const { key, name, logLevel } = config;
  await runTrainer({ api, key, name, engines: ENGINES, log, logLevel, signal: end.signal });
  log.info('trainer ended');
  process.exit(); // stdin may still be open
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
