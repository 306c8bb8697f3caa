/** The thread that computes metrics: one job per message, answered under its number. Knows no storage. */
import { parentPort } from 'node:worker_threads';
import type { Table } from '@anneal/trainer/contract';
import { PredictionsFile } from '../contract.ts';
import {
  type Evaluation,
  evaluate,
  evaluateClasses,
  evaluateValues,
  type ProbabilityMetrics,
} from '../evaluation/evaluate.ts';

/** Everything that the metrics are computed from. */
export interface EvaluationJob {
  /** A PredictionsFile, as JSON. */
  predictions: Uint8Array;
  /** The table; its features are not needed. */
  table: Table;
  positiveClass: string | null;
  threshold: number | null;
  at: number | null;
  known: ProbabilityMetrics | null;
}
/** Answers and truths row by row: class indices, or values. */
export interface LiveJob {
  kind: 'CLASSES' | 'VALUES';
  classes: string[];
  positiveClass: string | null;
  threshold: number | null;
  truth: Float64Array;
  predicted: Float64Array;
}
export type EvaluationRequest = { number: number; job: EvaluationJob | LiveJob };
export type EvaluationAnswer = { number: number } & ({ metrics: Evaluation } | { error: string });

function answer({ number, job }: EvaluationRequest): EvaluationAnswer {
  try {
    if ('kind' in job) return { number, metrics: evaluateLive(job) };
    const predictions = PredictionsFile.parse(JSON.parse(new TextDecoder().decode(job.predictions)));
    return { number, metrics: evaluate({ ...job, predictions }) };
  } catch (error) {
    return { number, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

function evaluateLive({ kind, truth, predicted, ...rest }: LiveJob): Evaluation {
  return kind === 'VALUES'
    ? evaluateValues({ truth, predicted })
    : evaluateClasses({ ...rest, truth, labels: predicted });
}

parentPort?.on('message', (request: EvaluationRequest) => parentPort?.postMessage(answer(request)));
