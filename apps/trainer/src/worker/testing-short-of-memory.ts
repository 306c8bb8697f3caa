/**
 * A job process whose system has little memory left, for tests: Linux's limit of its data, a bit above what it
 * uses when its claim comes.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import '../job/main.ts';

/** Enough to begin, too little for a network of hundreds of megabytes. */
const SPARE_BYTES = 256 * 2 ** 20;

process.prependOnceListener('message', () => {
  const [, kilobytes] = /^VmData:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  const limit = Number(kilobytes) * 1024 + SPARE_BYTES;
  execFileSync('prlimit', [`--pid=${process.pid}`, `--data=${limit}`]);
});
