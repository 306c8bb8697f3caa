/**
 * Computes metrics in a thread of its own: a bootstrap over many rows takes seconds, and meanwhile the API must answer
 * heartbeats. Jobs of one thread wait for each other.
 */
import { Worker } from 'node:worker_threads';
import type { Evaluation } from '../evaluation/evaluate.ts';
import type { EvaluationAnswer, EvaluationJob, EvaluationRequest, LiveJob } from './evaluation-worker.ts';

export interface EvaluationThread {
  /** Rejects with an Error when the stored predictions cannot be evaluated. */
  compute(job: EvaluationJob | LiveJob): Promise<Evaluation>;
}

/** A thread that starts with its first job, starts again after a crash, and never keeps the process from ending. */
export function evaluationThread(): EvaluationThread {
  const waiting = new Map<number, PromiseWithResolvers<Evaluation>>();
  let worker: Worker | undefined;
  let jobs = 0;

  const start = (): Worker => {
    const started = new Worker(new URL('./evaluation-worker.ts', import.meta.url));
    started.on('message', (answer: EvaluationAnswer) => {
      const job = waiting.get(answer.number);
      waiting.delete(answer.number);
      if (waiting.size === 0) started.unref();
      if ('metrics' in answer) job?.resolve(answer.metrics);
      else job?.reject(new Error(`evaluation failed: ${answer.error}`));
    });
    const gone = (error: unknown) => {
      if (worker === started) worker = undefined;
      for (const job of waiting.values()) job.reject(error);
      waiting.clear();
    };
    started.on('error', gone);
    started.on('exit', (code) => gone(new Error(`the evaluating thread ended with code ${code} and no answer`)));
    return started;
  };

  return {
    compute(job) {
      worker ??= start();
      const request: EvaluationRequest = { number: jobs++, job };
      const promised = Promise.withResolvers<Evaluation>();
      waiting.set(request.number, promised);
      worker.ref();
      worker.postMessage(request);
      return promised.promise;
    },
  };
}
