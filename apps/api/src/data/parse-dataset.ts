/** The door of this folder: parses a data set in a thread of its own, so that the API keeps answering. */
import { Worker } from 'node:worker_threads';
import { DataError } from './error.ts';
import type { ParsedDataset, ParseInput } from './parse.ts';
import type { WorkerAnswer } from './worker.ts';

export type { ParsedColumn, ParsedDataset, ParseInput } from './parse.ts';

/** Reads files into the canonical table. Rejects with a DataError for everything that the data set's owner can mend. */
export function parseDataset(input: ParseInput): Promise<ParsedDataset> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: input });
  return new Promise((resolve, reject) => {
    worker.once('message', (answer: WorkerAnswer) => {
      if (answer.ok) resolve(answer.dataset);
      else reject(new DataError(answer.code, answer.message, answer));
    });
    worker.once('error', (error) => reject(isOutOfMemory(error) ? tooLarge() : error));
    worker.once('exit', (code) => reject(new Error(`the parsing thread ended with code ${code} and no answer`)));
  });
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
}

function tooLarge(): DataError {
  return new DataError(
    'TOO_LARGE',
    "the data set's texts do not fit in memory; set columns of long or ever-different texts to IGNORE",
  );
}
