/**
 * The trainer's process: reads the configuration, runs the loop until a signal or the watchdog ends it. With the
 * argument `doctor` it only says which engines work here.
 */
import { readConfig } from './config.ts';
import { diagnosis } from './doctor.ts';
import { availableEngines } from './engine/available.ts';
import { Api } from './worker/api.ts';
import { createLog } from './worker/log.ts';
import { runTrainer } from './worker/loop.ts';

async function main(): Promise<void> {
  if (process.argv[2] === 'doctor') {
    process.stdout.write(diagnosis(await availableEngines()));
    return;
  }
  const config = readConfig();
  const log = createLog(config.logLevel);
  const end = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => end.abort());
  if (config.watchdog === 'stdin') process.stdin.once('end', () => end.abort()).resume();

  const onRetry = (problem: string, waitMs: number) => log.warn('the API did not answer', { problem, waitMs });
  const api = new Api({ url: config.apiUrl, key: config.key, onRetry });
  const available = await availableEngines();
  for (const { name, absent, device } of available) log.debug('engine', { engine: name, device, absent });
  // What this trainer can run; the API gives it only such runs.
  const engines = available.filter(({ absent }) => absent === null).map(({ name }) => name);
  if (engines.length === 0) throw new Error(`No engine is usable on this machine.\n${diagnosis(available)}`);
  log.info('trainer ready', { trainer: config.name, api: config.apiUrl, engines });
  process.stdout.write(`${JSON.stringify({ ready: true, name: config.name })}\n`); // for whoever supervises us
  const { key, name, logLevel, checkpointSeconds } = config;
  const lane = { api, key, name, engines, log, logLevel, checkpointSeconds, signal: end.signal };
  // Imports have a lane of their own: they take seconds, and shall not wait behind hours of training. They are rare, so
  // no process waits for them.
  await Promise.all([
    runTrainer({ ...lane, kinds: ['TRAIN'] }),
    runTrainer({ ...lane, kinds: ['IMPORT'], spare: false }),
  ]);
  log.info('trainer ended');
  process.exit(); // stdin may still be open
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
