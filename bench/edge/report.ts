/** What was measured, as lines for people. */
import type { BareMeasured } from './bare.ts';
import { type Case, SUBJECTS, type SubjectName } from './subjects.ts';

/** All rounds of one subject with one case. */
export interface Row {
  of: Case;
  /** Connections. */
  at: number;
  name: SubjectName;
  /** Milliseconds of each request. */
  times: number[];
  /** Milliseconds of CPU, and of the clock, for all of them. */
  cpu: number;
  elapsed: number;
}

const quantile = (values: readonly number[], q: number) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(q * values.length))] ?? Number.NaN;
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const cpuUs = (row: Row) => (row.cpu * 1000) / row.times.length;
const p50 = (row: Row) => quantile(row.times, 0.5);
const times = (ratio: number) => `${ratio.toFixed(2)}x`;

/** One case: a line for each subject, ratios to the echo Worker and to the native server. */
export function say(rows: readonly Row[], bare: readonly BareMeasured[]): void {
  const [first] = rows;
  if (!first) return;
  const { name, batch, body } = first.of;
  const kilobytes = (body.byteLength / 1000).toFixed(1);
  console.log(`\n${name}, batch ${batch}, ${kilobytes} kB, ${first.at} connection${first.at > 1 ? 's' : ''}`);
  const peers = (['echo', 'native'] as const).map((peer) => rows.find((row) => row.name === peer));
  for (const row of rows) {
    const [low, middle, high] = [0.5, 0.9, 0.99].map((q) => quantile(row.times, q).toFixed(2));
    const rate = ((row.times.length * 1000) / row.elapsed).toFixed(0);
    const ratios = peers.flatMap((peer) =>
      peer && peer !== row
        ? [`to ${peer.name}: CPU ${times(cpuUs(row) / cpuUs(peer))}, p50 ${times(p50(row) / p50(peer))}`]
        : [],
    );
    const cpu = `CPU ${cpuUs(row).toFixed(0)} us`;
    const line = `${SUBJECTS[row.name].padEnd(24)} p50 ${low} p90 ${middle} p99 ${high} ms, ${rate}/s, ${cpu}`;
    console.log(`  ${[line, ...ratios].join('; ')} (${row.times.length} requests)`);
  }
  if (bare.length > 0)
    console.log(
      `  ${'onnxruntime-web alone'.padEnd(24)} ${mean(bare.map((b) => b.clockUs)).toFixed(0)} us a run, CPU ` +
        `${mean(bare.map((b) => b.cpuUs)).toFixed(0)} us (no HTTP, no JSON)`,
    );
}

const GOALS = [
  { name: 'buffered', ratio: 1.6, ms: 0.5 },
  { name: 'durable', ratio: 6, ms: 1.5 },
] as const;

/** The goals at batch 1 of rows, one connection, and what a core serves. */
export function sayGoals(rows: readonly Row[]): void {
  console.log('\nGoals: batch 1 of rows, 1 connection');
  const single = rows.filter(({ of, at }) => of.batch === 1 && at === 1 && of.urls.durable);
  for (const { name, ratio, ms } of GOALS)
    for (const row of single.filter((candidate) => candidate.name === name)) {
      const echo = single.find((candidate) => candidate.of === row.of && candidate.name === 'echo');
      if (!echo) continue;
      const [got, middle] = [cpuUs(row) / cpuUs(echo), p50(row)];
      const verdict = got <= ratio && middle <= ms ? 'reached' : 'missed';
      const wanted = `goal ${times(ratio)} and ${ms} ms`;
      const found = `CPU ${times(got)} of echo, p50 ${middle.toFixed(2)} ms`;
      console.log(`  ${row.of.name}, ${SUBJECTS[name]}: ${found}; ${wanted}: ${verdict}`);
    }
  console.log('\nWarm throughput per core (1 / CPU per request)');
  for (const row of rows.filter(({ at }) => at === rows.at(-1)?.at)) {
    const rate = 1e6 / cpuUs(row);
    const each = `${rate.toFixed(0)} requests/s, ${(rate * row.of.batch).toFixed(0)} instances/s`;
    console.log(`  ${row.of.name}, batch ${row.of.batch}, ${SUBJECTS[row.name]}: ${each}`);
  }
}
