/**
 * The compiled programs of one training: one trainer and one evaluator per padded length of sequences (a single one of
 * each for everything else), compiled when a length first occurs. Knows no table and no epoch.
 */
import { compileTraining, type TrainingOptions, type TrainingProgram } from '../autodiff/compile.ts';
import type { Task } from '../contract.ts';
import { type Examples, gather, lengthOf, rowWidth, type Source } from '../data/examples.ts';
import { type Engine, type Evaluator, Pace, type Trainer } from '../engine/index.ts';
import type { Weights } from '../zoo/index.ts';
import { compileEvaluation } from '../zoo/inference.ts';

/** What null stands for: rows of one shape need no length. */
type Length = number | null;

/** A trainer and how many of its steps go into one chunk. */
export interface Paced {
  program: TrainingProgram;
  trainer: Trainer;
  pace: Pace;
}

/**
 * Rows per evaluation: constant, because the kernels' rounding may depend on it, and few where rows are large, because
 * what a network makes of each number may take a hundred times its place.
 */
const ROWS_PER_CALL = 4096;
const NUMBERS_PER_CALL = { FEATURES: Number.POSITIVE_INFINITY, TENSOR: 2 ** 17, TOKENS: 2 ** 11 };

/** Programs by length; each is compiled once. */
export class Programs {
  readonly #engine: Engine;
  readonly #options: Omit<TrainingOptions, 'length' | 'loop' | 'target'> & { task: Task };
  readonly #trainers = new Map<Length, Promise<Paced>>();
  readonly #evaluators = new Map<Length, Promise<Evaluator>>();

  constructor(engine: Engine, options: Omit<TrainingOptions, 'length' | 'loop' | 'target'> & { task: Task }) {
    this.#engine = engine;
    this.#options = options;
  }

  /** The trainer of batches padded to this length. */
  trainer(length: Length): Promise<Paced> {
    return once(this.#trainers, length, async () => {
      const options = { ...this.#options, ...given(length) };
      const program = compileTraining({ ...options, loop: this.#engine.loop, target: this.#engine.target });
      return { program, trainer: await this.#engine.trainer(program), pace: Pace.of(program) };
    });
  }

  /** The network's answers to all examples, in their order. */
  async evaluate(
    weights: Weights,
    { count, source }: Examples,
  ): Promise<{ logits: Float32Array; output: Float32Array }> {
    const parts: { at: Uint32Array; logits: Float32Array; output: Float32Array }[] = [];
    for (const { length, examples } of byLength(count, source)) {
      const step = Math.floor(NUMBERS_PER_CALL[source.kind] / rowWidth(source, length));
      const rows = Math.min(ROWS_PER_CALL, Math.max(1, step));
      const evaluator = await this.#evaluator(length);
      for (let from = 0; from < examples.length; from += rows) {
        const at = examples.subarray(from, from + rows);
        parts.push({ at, ...(await evaluator.run(weights, gather(source, at, { length }))) });
      }
    }
    return { logits: inOrder(parts, count, 'logits'), output: inOrder(parts, count, 'output') };
  }

  async close(): Promise<void> {
    for (const paced of this.#trainers.values()) await (await paced).trainer.close();
    for (const evaluator of this.#evaluators.values()) await (await evaluator).close();
  }

  #evaluator(length: Length): Promise<Evaluator> {
    const { network, task } = this.#options;
    return once(this.#evaluators, length, () =>
      this.#engine.evaluator(
        compileEvaluation({ network, task, ...given(length), gpu: this.#engine.target === 'WEBGPU' }),
      ),
    );
  }
}

function once<T>(map: Map<Length, Promise<T>>, length: Length, open: () => Promise<T>): Promise<T> {
  const known = map.get(length);
  if (known) return known;
  const opened = open();
  map.set(length, opened);
  return opened;
}

const given = (length: Length) => (length === null ? {} : { length });

function byLength(count: number, source: Source): { length: Length; examples: Uint32Array }[] {
  const all = Uint32Array.from({ length: count }, (_, example) => example);
  if (source.kind !== 'TOKENS') return count > 0 ? [{ length: null, examples: all }] : [];
  const lengths = [...new Set(source.lengths)].sort((a, b) => a - b);
  return lengths.map((length) => ({ length, examples: all.filter((at) => lengthOf(source, at) === length) }));
}

function inOrder(
  parts: { at: Uint32Array; logits: Float32Array; output: Float32Array }[],
  count: number,
  key: 'logits' | 'output',
): Float32Array {
  const [first] = parts;
  const width = first ? first[key].length / first.at.length : 0;
  const joined = new Float32Array(count * width);
  for (const part of parts)
    for (const [i, example] of part.at.entries())
      joined.set(part[key].subarray(i * width, (i + 1) * width), example * width);
  return joined;
}
