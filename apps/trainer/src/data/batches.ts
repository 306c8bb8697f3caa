/**
 * One epoch's batches: rows gathered in a given order, K steps at a time. Sequences of like length share a batch, which
 * is padded to their length only. Knows no engine, no file and no randomness.
 */
import type { Chunk } from '../engine/index.ts';
import { type Examples, emptyRows, gather, lengthOf, rowWidth } from './examples.ts';

/** One step's examples, by index; `length` is what sequences are padded to. */
interface Batch {
  length: number | null;
  examples: Uint32Array;
}

/** Steps of one epoch over the examples in `order`; a batch that is not full is padded with rows of weight 0. */
export class Epoch {
  readonly steps: number;
  readonly #examples: Examples;
  readonly #batchSize: number;
  readonly #batches: readonly Batch[];
  /** x of the last chunk, written over by the next: megabytes that would be made and collected many times a second. */
  #x: Float32Array | Int32Array = new Float32Array(0);

  constructor(examples: Examples, batchSize: number, order: Uint32Array) {
    this.#examples = examples;
    this.#batchSize = batchSize;
    this.#batches = batchesOf(examples, batchSize, order);
    this.steps = this.#batches.length;
  }

  /** Rows of a step that count. */
  rowsIn(step: number): number {
    return this.#batches[step]?.examples.length ?? 0;
  }

  /** What the sequences of a step are padded to; null for rows of one shape. */
  lengthOf(step: number): number | null {
    return this.#batches[step]?.length ?? null;
  }

  /** Steps from this one on that are of the same length: what one chunk can hold. */
  alike(step: number): number {
    const length = this.lengthOf(step);
    let end = step;
    while (end < this.steps && this.lengthOf(end) === length) end++;
    return end - step;
  }

  /**
   * Steps `from` .. `from + steps`, all of one length, as one chunk, still without a learning rate. It is good until
   * the next one is asked for.
   */
  chunk(from: number, steps: number): Omit<Chunk, 'learningRate'> {
    const { source, y: targets } = this.#examples;
    const batches = this.#batches.slice(from, from + steps);
    const slots = steps * this.#batchSize;
    const y = targets instanceof Int32Array ? new Int32Array(slots) : new Float32Array(slots);
    const weight = new Float32Array(slots);
    const length = this.lengthOf(from);
    const full = batches.every(({ examples }) => examples.length === this.#batchSize);
    const x = this.#rows(slots, length, full && source.kind !== 'TOKENS');
    for (const [i, { examples }] of batches.entries()) {
      const slot = i * this.#batchSize;
      gather(source, examples, { length, into: x.subarray((slot * x.length) / slots) });
      weight.fill(1, slot, slot + examples.length);
      for (const [row, example] of examples.entries()) y[slot + row] = targets[example] ?? 0;
    }
    return { x, y, weight };
  }

  /** Zeros for so many rows; what was there before, where every number will be written anyway. */
  #rows(slots: number, length: number | null, dirty: boolean): Float32Array | Int32Array {
    const { source } = this.#examples;
    const size = slots * rowWidth(source, length);
    if (this.#x.length < size) this.#x = emptyRows(source, slots, length);
    const x = this.#x.subarray(0, size);
    return dirty ? x : x.fill(0);
  }
}

function batchesOf({ count, source }: Examples, batchSize: number, order: Uint32Array): Batch[] {
  const cut = (rows: Uint32Array, from: number) => rows.subarray(from, from + batchSize);
  if (source.kind !== 'TOKENS')
    return Array.from({ length: Math.ceil(count / batchSize) }, (_, step) => ({
      length: null,
      examples: cut(order, step * batchSize),
    }));
  // Shortest first; what does not fill a batch goes on with the next longer ones: as many steps as without lengths.
  const position = new Uint32Array(count);
  for (const [at, example] of order.entries()) position[example] = at;
  const lengths = [...new Set(source.lengths)].sort((a, b) => a - b);
  const batches: Batch[] = [];
  let open = new Uint32Array(0);
  for (const length of lengths) {
    const own = order.filter((example) => lengthOf(source, example) === length);
    const rows = Uint32Array.from([...open, ...own]);
    const whole = length === lengths.at(-1) ? rows.length : rows.length - (rows.length % batchSize);
    for (let from = 0; from < whole; from += batchSize) batches.push({ length, examples: cut(rows, from) });
    open = rows.slice(whole);
  }
  // The order of the batches must not be that of their lengths; their last rows stand in random places of `order`.
  const place = ({ examples }: Batch) => position[examples.at(-1) ?? 0] ?? 0;
  return batches.sort((a, b) => place(a) - place(b));
}
