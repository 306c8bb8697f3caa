/**
 * One epoch's batches: rows gathered in a given order, K steps at a time. Knows no engine, no file and no randomness.
 */
import type { Chunk } from '../engine/index.ts';

/** Rows to learn from or to judge by: `x` is [count, width]. */
export interface Examples {
  count: number;
  width: number;
  x: Float32Array;
  y: Int32Array | Float32Array;
}

/** Steps of one epoch over the examples in `order`; the last batch is padded with rows of weight 0. */
export class Epoch {
  readonly steps: number;
  readonly #examples: Examples;
  readonly #batchSize: number;
  readonly #order: Uint32Array;

  constructor(examples: Examples, batchSize: number, order: Uint32Array) {
    this.steps = Math.ceil(examples.count / batchSize);
    this.#examples = examples;
    this.#batchSize = batchSize;
    this.#order = order;
  }

  /** Rows of a step that count. */
  rowsIn(step: number): number {
    return Math.min(this.#batchSize, this.#examples.count - step * this.#batchSize);
  }

  /** Steps `from` .. `from + steps` as one chunk, still without a learning rate. */
  chunk(from: number, steps: number): Omit<Chunk, 'learningRate'> {
    const { x: source, y: targets, width, count } = this.#examples;
    const slots = steps * this.#batchSize;
    const first = from * this.#batchSize;
    const filled = Math.min(slots, count - first);
    const x = new Float32Array(slots * width);
    const y = targets instanceof Int32Array ? new Int32Array(slots) : new Float32Array(slots);
    const weight = new Float32Array(slots).fill(1, 0, filled);
    for (let slot = 0; slot < filled; slot++) {
      const row = this.#order[first + slot] ?? 0;
      x.set(source.subarray(row * width, (row + 1) * width), slot * width);
      y[slot] = targets[row] ?? 0;
    }
    return { x, y, weight };
  }
}
