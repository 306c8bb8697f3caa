/** One contender's process, spoken to as protocol.ts says. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Trained } from './protocol.ts';

/** A process that trains on request. */
export class Contender {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(process: ChildProcess, lines: AsyncIterator<string>) {
    this.#process = process;
    this.#lines = lines;
  }

  /** Starts it with that many threads; resolves when it is ready. */
  static async start([file, ...args]: readonly [string, ...string[]], threads: string): Promise<Contender> {
    // These two slow a current OpenBLAS down on some machines, where they work around old ones.
    const { OPENBLAS_CORETYPE: _, OPENBLAS_L2_SIZE: __, ...inherited } = process.env;
    // torch.set_num_threads does not reach OpenBLAS's own threads.
    const env = { ...inherited, OPENBLAS_NUM_THREADS: threads, OMP_NUM_THREADS: threads };
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'], env });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const contender = new Contender(child, lines);
    await contender.#answer(`${file} ${args.join(' ')}`);
    return contender;
  }

  /** Trains so many steps more. */
  async train(steps: number): Promise<Trained> {
    this.#process.stdin?.write(`${JSON.stringify({ steps })}\n`);
    return (await this.#answer('train')) as Trained;
  }

  /** Ends it; answers its peak memory in bytes. */
  async stop(): Promise<number> {
    this.#process.stdin?.end();
    return ((await this.#answer('stop')) as { peak: number }).peak;
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  async #answer(what: string): Promise<unknown> {
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done) throw new Error(`the contender ended before it answered: ${what}`);
      if (value.startsWith('{')) return JSON.parse(value);
    }
  }
}
