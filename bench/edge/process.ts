/** Processes of this bench: children that answer messages, and what a process has used. Linux's /proc. */
import { type ChildProcess, fork } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import path from 'node:path';

/** Clock ticks per second of /proc: 100 on every Linux that Node runs on. */
const TICKS = 100;
const PAGE_BYTES = 4096;

/** Milliseconds of CPU that a process has used so far, in user mode and in the kernel. */
export function cpuMs(pid: number): number {
  // After the name, which may hold spaces: state is field 3, utime 14, stime 15.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS;
}

/** Bytes of memory that are resident. */
export function residentBytes(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * PAGE_BYTES;
}

/** The workerd processes that `parent` started. */
export function workerdsOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const [, ppid] = /^\d+ \(workerd\) \S (\d+) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
        return Number(ppid) === parent ? [Number(pid)] : [];
      } catch {
        return []; // ended meanwhile
      }
    });
}

/** A child of this folder; each message to it has one answer. */
export function startChild(
  file: string,
  args: string[] = [],
): { child: ChildProcess; ask<T>(job: object): Promise<T> } {
  const child = fork(path.join(import.meta.dirname, file), args);
  const ask = <T>(job: object) =>
    new Promise<T>((resolve, reject) => {
      const ended = (code: number | null) => reject(new Error(`${file} ended with code ${code}`));
      child.once('exit', ended);
      child.once('message', (answer: { measured?: T; error?: string }) => {
        child.off('exit', ended);
        if (answer.measured === undefined) reject(new Error(answer.error));
        else resolve(answer.measured);
      });
      child.send(job);
    });
  return { child, ask };
}

/** When and where this was measured. */
export function circumstances(): string {
  return `${new Date().toISOString().slice(0, 10)}, ${cpus().length} x ${cpus()[0]?.model}, node ${process.version}`;
}
