/**
 * What serving costs: this project's Worker (events BUFFERED and DURABLE) next to a Worker that only parses and writes
 * JSON on the same host, a plain Node server with onnxruntime-node, and bare onnxruntime-web, in interleaved rounds of
 * one run. Then cold starts, and memory after a thousand models. All of them have one thread.
 *
 *   npm run bench -- edge [--rounds 7] [--ms 700] [--batches 1,32,512] [--connections 1,8] [--only adult,cnn] [--serve]
 *
 * --serve leaves out cold starts and memory. Times are those that a node:http client in a process of its own sees. CPU
 * is user + system time of the serving process alone, counted in ticks of 10 ms and divided by its requests.
 */
import { parseArgs } from 'node:util';
import type { BareMeasured } from './edge/bare.ts';
import { coldStarts, memoryAfter } from './edge/cold.ts';
import { startBenchEdge, startSink } from './edge/edge-stand.ts';
import type { Measured } from './edge/load.ts';
import { adultLike, images, quickStart } from './edge/models.ts';
import { circumstances, cpuMs, startChild } from './edge/process.ts';
import { type Row, say, sayGoals } from './edge/report.ts';
import { type Case, imageCases, SUBJECTS, type SubjectName, tabularCases } from './edge/subjects.ts';

const { values: args } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    ms: { type: 'string', default: '700' },
    batches: { type: 'string', default: '1,32,512' },
    connections: { type: 'string', default: '1,8' },
    only: { type: 'string', default: 'adult,quick,cnn' },
    serve: { type: 'boolean', default: false },
  },
});
const numbers = (text: string) => text.split(',').map(Number);
const [rounds, ms, batches, connections] = [
  Number(args.rounds),
  Number(args.ms),
  numbers(args.batches),
  numbers(args.connections),
];
/** Enough for V8 to compile what is hot, where requests are small. */
const WARM_UP_MS = 2_500;
const MAX_REQUESTS = 100_000;

const names = (urls: Case['urls']) => (Object.keys(SUBJECTS) as SubjectName[]).filter((name) => urls[name]);
const load = startChild('load.ts');
const bare = startChild('bare.ts');

/** All subjects of one case in turn, round by round; the first round warms up. */
async function measure(of: Case, at: number): Promise<Row[]> {
  const rows = new Map(names(of.urls).map((name) => [name, { of, at, name, times: [], cpu: 0, elapsed: 0 } as Row]));
  const body = of.body.toString('base64');
  const bareUs: BareMeasured[] = [];
  for (let round = 0; round <= rounds; round++) {
    const maxMs = round === 0 ? WARM_UP_MS : ms;
    for (const [name, row] of rows) {
      const job = { url: of.urls[name] ?? '', headers: of.headers, body, connections: at, warmUp: 0 };
      const before = cpuMs(of.pids[name]);
      const { times, elapsed } = await load.ask<Measured>({ ...job, requests: MAX_REQUESTS, maxMs });
      if (round === 0) continue;
      row.cpu += cpuMs(of.pids[name]) - before;
      row.elapsed += elapsed;
      for (const time of times) row.times.push(time);
    }
    if (at === connections[0]) bareUs.push(await bare.ask<BareMeasured>({ ...of.bare, ms: maxMs / 2 }));
  }
  const measured = [...rows.values()];
  say(measured, bareUs.slice(1));
  return measured;
}

const sink = await startSink();
const echo = await startBenchEdge(sink.url, new URL('./edge/echo-worker.mjs', import.meta.url).pathname);
const ours = await startBenchEdge(sink.url);
console.log(circumstances());
try {
  const chosen = args.only.split(',');
  const edges = { ours, echo };
  const groups = [
    ...(chosen.includes('adult') ? [await tabularCases(edges, await adultLike(), batches)] : []),
    ...(chosen.includes('quick') ? [await tabularCases(edges, await quickStart(), batches)] : []),
    ...(chosen.includes('cnn') ? [await imageCases(edges, images(), batches)] : []),
  ];
  const all: Row[] = [];
  for (const { cases } of groups)
    for (const of of cases) for (const at of connections) all.push(...(await measure(of, at)));
  sayGoals(all);
  for (const { child } of groups) child.kill();
  if (!args.serve) {
    await coldStarts(sink.url);
    await memoryAfter(sink.url, 1_000);
  }
} finally {
  load.child.kill();
  bare.child.kill();
  await echo.stop();
  await ours.stop();
  sink.close();
}
