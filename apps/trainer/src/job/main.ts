/**
 * The job process: waits for one claim, runs it, says how it ended, and is gone. Nothing survives it, so a crash, a
 * leak or a kill costs one run. It ends by itself when the trainer that started it dies, because its channel closes.
 */
import { nodeRuntime } from '@anneal/edge/engine/node';
import { JobFailure, outOfMemory, StoppedEarly, toldOfMemory } from '../failure.ts';
import { Api, ApiError, StaleAttempt } from '../worker/api.ts';
import { createLog } from '../worker/log.ts';
import { type Outcome, type Report, Start } from '../worker/messages.ts';
import type { Kind } from '../worker/operations.ts';
import { train } from './train.ts';

/** Signs of life more often than this tell the trainer nothing new. */
const BEAT_MS = 100;

// Both load while the process waits for its claim.
void import('../engine/ort-cpu.ts'); // what most runs need
const edge = nodeRuntime();
edge.catch(() => {}); // whoever awaits it will see it; until then it must not end the process

process.once('disconnect', () => process.exit(1));
process.once('message', (message) => void run(Start.parse(message)));

async function run({ api: { url, key }, logLevel, checkpointSeconds, claim }: Start): Promise<void> {
  const write = (line: string) => process.stdout.write(line);
  const log = createLog(logLevel, { runId: claim.runId, attempt: claim.attempt }, write);
  const api = new Api({
    url,
    key,
    onRetry: (problem, waitMs) => log.warn('the API did not answer', { problem, waitMs }),
  });
  let lastBeatAt = 0;
  const beat = (progress: number) => {
    if (performance.now() - lastBeatAt < BEAT_MS) return;
    lastBeatAt = performance.now();
    say({ kind: 'STEP', progress });
  };
  const work =
    claim.kind === 'IMPORT'
      ? import('./import-run.ts').then(({ runImport }) => runImport({ api, claim, log, beat }))
      : train({ api, claim, log, checkpointSeconds, edge, beat });
  const outcome = await work.then(
    (number): Outcome => ({ kind: 'COMPLETED', number }),
    (error: unknown) => outcomeOf(error, claim.kind),
  );
  say(outcome, () => process.exit());
}

/**
 * A failure with a code is the run's outcome; anything else is a bug, and ends the process with its stack on stderr.
 */
function outcomeOf(error: unknown, kind: Kind): Outcome {
  if (error instanceof StaleAttempt) return { kind: 'STALE' };
  if (error instanceof JobFailure) return { kind: 'FAILED', code: error.code, message: error.message };
  if (error instanceof StoppedEarly) return { kind: 'STOPPED_EARLY' };
  if (error instanceof ApiError) return { kind: 'FAILED', code: 'API_REFUSED', message: error.message };
  const memory = toldOfMemory(error instanceof Error ? error.message : String(error));
  if (memory) return { kind: 'FAILED', ...outOfMemory(memory, kind) };
  throw error;
}

function say(report: Report, then: () => void = () => {}): void {
  process.send?.(report, undefined, undefined, then);
}
