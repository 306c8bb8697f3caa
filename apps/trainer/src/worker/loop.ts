/**
 * The trainer's loop: claim, run in a process of its own, keep the lease, settle the outcome, next. A trainer has one
 * for each lane of work. Knows nothing of training and no SQL.
 */
import { type FailureCode, outOfMemory } from '../failure.ts';
import { type Api, pause, StaleAttempt } from './api.ts';
import { type Ending, JOB_MODULE, JobProcess } from './child.ts';
import type { Log } from './log.ts';
import { type Claim, claimRun, failRun, heartbeatRun, type Kind } from './operations.ts';

/** What a loop needs; the times are options so that tests need not wait. */
export interface LoopOptions {
  api: Api;
  key: string;
  name: string;
  engines: readonly string[];
  /** What it claims; [TRAIN] when omitted. */
  kinds?: readonly Kind[];
  /** Whether a process waits ready for the next claim; true when omitted. */
  spare?: boolean;
  log: Log;
  logLevel: 'debug' | 'info' | 'warn' | 'error';
  /** Aborted: no more claims; a running job is killed and its run left to its lease. */
  signal: AbortSignal;
  /** Seconds that the API may hold a claim open. */
  waitSeconds?: number;
  /** A cancel takes effect within it, for two small UPDATEs a second; the lease alone would do with one in 3 s. */
  heartbeatMs?: number;
  /** A job that reports no step for so long is hung; real steps take milliseconds, chunks 300 ms. */
  stallMs?: number;
  /** A killed run loses at most so much training; an upload every half minute costs nothing. */
  checkpointSeconds?: number;
  /** Program of a job process. */
  jobModule?: URL;
}

/** Why the trainer stops waiting for a job; the rest are the job's own endings. */
type Verdict = Ending | { kind: 'CANCEL_REQUESTED' } | { kind: 'STALLED' } | { kind: 'SHUTDOWN' };

/** Claims and runs until the signal is aborted. Never throws: an API that refuses is asked again later. */
export async function runTrainer(options: LoopOptions): Promise<void> {
  const { api, name, engines, kinds = ['TRAIN'], log, signal, waitSeconds = 20, jobModule = JOB_MODULE } = options;
  // A process waits ready for the next claim: starting Node and loading the engines takes longer than small runs do.
  const ready = () => (options.spare === false ? undefined : new JobProcess(jobModule));
  let spare = ready();
  while (!signal.aborted) {
    try {
      const claim = await claimRun(api, { worker: name, engines, kinds, waitSeconds }, signal);
      if (!claim) continue;
      const job = spare?.alive ? spare : new JobProcess(jobModule);
      await runClaim(claim, job, options);
      spare = ready();
    } catch (error) {
      if (signal.aborted) break;
      log.error('claiming failed; trying again', { error: messageOf(error) });
      await pause(5000, signal).catch(() => {});
    }
  }
  spare?.kill();
  await spare?.ended;
}

/** One claimed run, from the job's start to the last word about it. */
async function runClaim(claim: Claim, job: JobProcess, options: LoopOptions): Promise<void> {
  const log = options.log.with({ runId: claim.runId, attempt: claim.attempt });
  log.info('run claimed', { kind: claim.kind, pid: job.pid });
  const over = new AbortController();
  const began = performance.now();
  const { key, logLevel, checkpointSeconds = 30 } = options;
  job.start({ api: { url: options.api.url, key }, logLevel, checkpointSeconds, claim });
  const verdict = await Promise.race([
    job.ended,
    keepLease(claim, job, options, over.signal),
    shutdown(options.signal),
  ]).finally(() => over.abort());
  job.kill();
  await job.ended;
  const seconds = Math.round(performance.now() - began) / 1000;
  log.info('run ended', { outcome: verdict.kind, seconds });
  const failure = failureOf(verdict, claim.kind);
  if (failure) await settle(claim, failure, options, log);
}

/** What the API is to hear of an ending; null where it knows already, or where another attempt shall have the run. */
function failureOf(verdict: Verdict, kind: Kind): { code: FailureCode | string; message: string } | null {
  switch (verdict.kind) {
    case 'COMPLETED':
    case 'STALE':
    case 'STOPPED_EARLY': // the API decided it
    case 'SHUTDOWN': // the lease ends within seconds; the next trainer goes on from the last checkpoint
      return null;
    case 'FAILED':
      return { code: verdict.code, message: verdict.message };
    case 'CRASHED':
      return { code: 'JOB_CRASHED', message: verdict.message };
    case 'OUT_OF_MEMORY':
      return outOfMemory(verdict.message, kind);
    case 'STALLED':
      return { code: 'JOB_STALLED', message: 'The job reported no step for minutes and was killed.' };
    case 'CANCEL_REQUESTED':
      return { code: 'CANCELED', message: 'Canceled on request.' };
  }
}

async function settle(claim: Claim, failure: { code: string; message: string }, options: LoopOptions, log: Log) {
  const { runId, attempt } = claim;
  try {
    await failRun(options.api, { runId, attempt, ...failure }, { signal: options.signal });
    log.warn('run failed', { code: failure.code, reason: failure.message });
  } catch (error) {
    if (error instanceof StaleAttempt) log.warn('run was no longer ours', { error: error.message });
    else log.error('the run could not be failed; its lease will end', { error: messageOf(error) });
  }
}

/** Heartbeats until the run is lost, canceled or hung. A failed heartbeat is repeated: the lease outlasts several. */
async function keepLease(claim: Claim, job: JobProcess, options: LoopOptions, over: AbortSignal): Promise<Verdict> {
  const { api, log, heartbeatMs = 500, stallMs = 180_000 } = options;
  const { runId, attempt } = claim;
  const lease = { signal: over, timeoutMs: (claim.leaseSeconds * 1000) / 2 };
  while (!over.aborted) {
    await pause(heartbeatMs, over).catch(() => {});
    if (over.aborted) break;
    if (performance.now() - job.lastStepAt > stallMs) return { kind: 'STALLED' };
    try {
      const { cancelRequested } = await heartbeatRun(api, { runId, attempt, progress: job.progress }, lease);
      if (cancelRequested) return { kind: 'CANCEL_REQUESTED' };
    } catch (error) {
      if (error instanceof StaleAttempt) return { kind: 'STALE' };
      if (!over.aborted) log.error('heartbeat refused', { runId, error: messageOf(error) });
    }
  }
  return { kind: 'SHUTDOWN' };
}

function shutdown(signal: AbortSignal): Promise<Verdict> {
  return new Promise((resolve) => {
    const done = () => resolve({ kind: 'SHUTDOWN' });
    if (signal.aborted) done();
    else signal.addEventListener('abort', done, { once: true });
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
