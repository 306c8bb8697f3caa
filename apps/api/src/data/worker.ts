/** The thread that parses: takes one ParseInput as workerData, answers once, ends. */
import { parentPort, workerData } from 'node:worker_threads';
import { DataError, type DataErrorCode } from './error.ts';
import { type ParsedDataset, type ParseInput, parse } from './parse.ts';

/**
 * What the thread answers; an unexpected error is not answered but thrown, so it reaches the parent's `error` event.
 */
export type WorkerAnswer =
  | { ok: true; dataset: ParsedDataset }
  | {
      ok: false;
      code: DataErrorCode;
      message: string;
      field: string[] | null;
      details: Record<string, unknown>;
    };

async function run(input: ParseInput): Promise<void> {
  try {
    const dataset = await parse(input);
    parentPort?.postMessage({ ok: true, dataset } satisfies WorkerAnswer, [dataset.table.buffer]);
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    const { code, message, field, details } = error;
    parentPort?.postMessage({ ok: false, code, message, field, details } satisfies WorkerAnswer);
  }
}

await run(workerData);
