/** How many steps go into one chunk. Reads no clock: it is told what the last chunk took. */
import type { TrainingProgram } from '../autodiff/compile.ts';
import { sizeOf } from '../ir/shapes.ts';

/**
 * While a chunk runs, the process does not report; chunks of this length keep it lively, and make what a call costs
 * (0.1 ms, and for large networks a copy of the state) vanish. A cancel need not wait for them: it kills the process.
 */
const TARGET_MS = 300;
/** Memory that a chunk's batches may take; they exist about twice while it runs. */
const MAX_CHUNK_BYTES = 64 * 2 ** 20;

/**
 * Picks the steps per chunk from measured time. The result's bytes do not depend on it: only where the calls are cut
 * does.
 */
export class Pace {
  readonly #target: number;
  readonly #limit: number;
  #msPerStep: number | null = null;

  constructor({ targetMs = TARGET_MS, maxSteps = 4096 }: { targetMs?: number; maxSteps?: number } = {}) {
    this.#target = targetMs;
    this.#limit = maxSteps;
  }

  /** The pace for a program whose chunks must fit into memory. */
  static of({ batchSize, row }: TrainingProgram): Pace {
    const stepBytes = batchSize * (sizeOf(row) + 2) * Float32Array.BYTES_PER_ELEMENT;
    return new Pace({ maxSteps: Math.max(1, Math.floor(MAX_CHUNK_BYTES / stepBytes)) });
  }

  /** Steps for the next chunk: never across the end of an epoch, and a single one until something was measured. */
  next(stepsLeftInEpoch: number): number {
    const wanted = this.#msPerStep === null ? 1 : Math.floor(this.#target / this.#msPerStep);
    return Math.min(stepsLeftInEpoch, this.#limit, Math.max(1, wanted));
  }

  /** Tells what a chunk took. */
  measured(steps: number, ms: number): void {
    this.#msPerStep = Math.max(ms, 0.001) / steps;
  }
}
