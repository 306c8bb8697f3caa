/**
 * How bench/train.ts speaks with its contenders: one process per contender and network, a JSON line per request on
 * stdin, a JSON line per answer on stdout. {"steps": n} trains n steps more and answers {"ms", "cpuMs", "losses"}; the
 * last answer, on the end of stdin, is {"peak"}: the process's peak memory in bytes.
 */
import { createInterface } from 'node:readline';

/** Steps that were trained: milliseconds of training alone by the clock and of the processor, and each step's loss. */
export interface Trained {
  readonly ms: number;
  readonly cpuMs: number;
  readonly losses: number[];
}

/** Prepares so many steps; what it answers trains them, and that is what is measured. */
export type Prepare = (steps: number) => () => Promise<number[]>;

/** Answers requests until stdin ends. */
export async function serve(prepare: Prepare): Promise<void> {
  say({ ready: true });
  for await (const line of createInterface({ input: process.stdin })) {
    const { steps } = JSON.parse(line) as { steps: number };
    say(await measured(prepare(steps)));
  }
  say({ peak: process.resourceUsage().maxRSS * 1024 });
}

async function measured(train: () => Promise<number[]>): Promise<Trained> {
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  const losses = await train();
  const { user, system } = process.cpuUsage(cpu);
  return { ms: performance.now() - began, cpuMs: (user + system) / 1000, losses };
}

function say(answer: unknown): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
