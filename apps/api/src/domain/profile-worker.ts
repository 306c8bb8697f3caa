/** The thread that profiles what a version was trained on: one job as workerData, answered once. */
import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { decodeTable } from '@anneal/trainer/contract';
import { PredictionsFile } from '../contract.ts';
import { type CountedColumn, type ProfiledColumn, profilePredictions, profileTable } from './column-profile.ts';

/** Files of the canonical table and of the predictions of its held-out rows, where there are such. */
export interface ProfileJob {
  table: string;
  predictions: string | null;
  columns: ProfiledColumn[];
}

function profile({ table, predictions, columns }: ProfileJob): CountedColumn[] {
  const counted = profileTable(decodeTable(readFileSync(table)), columns);
  const answers =
    predictions === null
      ? undefined
      : profilePredictions(PredictionsFile.parse(JSON.parse(readFileSync(predictions, 'utf8'))));
  return answers ? [...counted, answers] : counted;
}

parentPort?.postMessage(profile(workerData));
