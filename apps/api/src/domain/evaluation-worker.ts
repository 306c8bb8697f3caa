/** The thread that computes metrics: one job per message, answered under its number. Knows no storage. */
import { parentPort } from 'node:worker_threads';
import type { Table } from '@anneal/trainer/contract';
import { PredictionsFile } from '../contract.ts';
import { type Evaluation, evaluate, type ProbabilityMetrics } from '../evaluation/evaluate.ts';

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
export type EvaluationRequest = { number: number; job: EvaluationJob };
export type EvaluationAnswer = { number: number } & ({ metrics: Evaluation } | { error: string });

function answer({ number, job }: EvaluationRequest): EvaluationAnswer {
  try {
    const predictions = PredictionsFile.parse(JSON.parse(new TextDecoder().decode(job.predictions)));
    return { number, metrics: evaluate({ ...job, predictions }) };
  } catch (error) {
    return { number, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

parentPort?.on('message', (request: EvaluationRequest) => parentPort?.postMessage(answer(request)));
