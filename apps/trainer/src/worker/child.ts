/** One job process: started, told its claim, listened to, killed. Knows no API and no lease. */
import { type ChildProcess, fork } from 'node:child_process';
import { toldOfMemory } from '../failure.ts';
import { type Outcome, Report, type Start } from './messages.ts';

/** How a job process ended: by its own word, or without one. */
export type Ending = Outcome | { kind: 'CRASHED'; message: string } | { kind: 'OUT_OF_MEMORY'; message: string };

/** Of a crashed job's stderr: enough for a stack trace, too little to fill a database. */
const STDERR_TAIL = 2000;

/** The program of a job process. */
export const JOB_MODULE = new URL('../job/main.ts', import.meta.url);

/** A job process. It ends by itself when this process dies, because its IPC channel closes. */
export class JobProcess {
  /** Settles once, when the process has ended. */
  readonly ended: Promise<Ending>;
  progress = 0;
  /** performance.now() of the last sign of life. */
  lastStepAt = performance.now();
  readonly #process: ChildProcess;
  #outcome: Outcome | undefined;
  #stderr = '';
  #toldOfMemory: string | undefined;

  constructor(module: URL) {
    // stdout carries the job's log lines, to where ours go; stderr is kept for the post-mortem.
    this.#process = fork(module, [], { stdio: ['ignore', process.stderr, 'pipe', 'ipc'] });
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      this.#toldOfMemory ??= toldOfMemory(this.#stderr); // V8's last words are longer than what is kept
      this.#stderr = this.#stderr.slice(-STDERR_TAIL);
      process.stderr.write(text);
    });
    this.#process.on('message', (message) => this.#hear(message));
    const { promise, resolve } = Promise.withResolvers<Ending>();
    this.ended = promise;
    this.#process.once('error', (error) => resolve({ kind: 'CRASHED', message: `cannot run a job: ${error.message}` }));
    // 'close' comes after stderr has been read to its end, unlike 'exit'.
    this.#process.once('close', (code, signal) => resolve(this.#outcome ?? this.#crash(code, signal)));
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get alive(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Hands over the claim; the job begins. */
  start(message: Start): void {
    this.lastStepAt = performance.now();
    this.#process.send(message, (error) => error && this.kill()); // a job that cannot hear is as good as dead
  }

  /** Ends the process at once: nothing in it is worth saving, its checkpoints are at the API. */
  kill(): void {
    this.#process.kill('SIGKILL');
  }

  #hear(message: unknown): void {
    const report = Report.safeParse(message).data;
    this.lastStepAt = performance.now();
    if (!report)
      this.kill(); // whatever speaks there is not our job
    else if (report.kind === 'STEP') this.progress = report.progress;
    else this.#outcome = report;
  }

  #crash(code: number | null, signal: NodeJS.Signals | null): Ending {
    const how = signal ? `was ended by ${signal}` : `exited with code ${code}`;
    if (this.#toldOfMemory) return { kind: 'OUT_OF_MEMORY', message: this.#toldOfMemory };
    // Whoever runs out of memory is killed by the system without a word; nobody else sends this signal but we.
    if (signal === 'SIGKILL' && !this.#process.killed)
      return { kind: 'OUT_OF_MEMORY', message: `most likely so, for the job process ${how}` };
    return { kind: 'CRASHED', message: `the job process ${how}. ${this.#stderr.trim()}`.trim() };
  }
}
