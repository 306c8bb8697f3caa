/**
 * Puts random and mutated byte strings of at most 4 KB through the ONNX codec and prints how they ended, how long it
 * took and how much memory: `node bench/fuzz.ts [count = 10000000] [seed = 1]`. Ends with an error at the first input
 * that crashes it.
 */
import { fuzz } from '../apps/trainer/src/ir/testing/fuzz.ts';

const [count = 10_000_000, seed = 1] = process.argv.slice(2).map(Number);
if (!Number.isSafeInteger(count) || count < 1 || !Number.isSafeInteger(seed))
  throw new Error(`usage: node bench/fuzz.ts [count] [seed]; got ${process.argv.slice(2).join(' ')}`);

// Most inputs end in an error: their stack traces would be most of the work.
Error.stackTraceLimit = 0;
const start = performance.now();
const seconds = () => (performance.now() - start) / 1000;
const outcomes = fuzz(count, seed, (done) => {
  if (done % 1_000_000 === 0) console.error(`${done} of ${count} after ${seconds().toFixed(0)} s`);
});
console.log(
  `${count} inputs (seed ${seed}) in ${seconds().toFixed(1)} s, ` +
    `peak memory of the process ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MB`,
);
console.log(
  `unreadable ${outcomes.unreadable}, read but senseless ${outcomes.senseless}, accepted ${outcomes.accepted}; ` +
    `slowest input ${outcomes.slowestMs.toFixed(1)} ms; no other error`,
);
