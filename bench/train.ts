/**
 * Training steps of this project next to TensorFlow.js and PyTorch: the six networks of bench/train/models.ts, the same
 * initial weights and batches for all, in interleaved rounds of one run. Prints ms per step (median of the rounds),
 * ratios, peak memory, how far the losses of the first 20 steps are apart, and what a whole run costs over bare steps.
 *
 *   node bench/train.ts [--models mlp,cnn] [--rounds 5] [--only ORT_CPU,PyTorch] [--threads 1] [--slow] [--cpu]
 *
 * --slow adds contenders that take seconds per step. --cpu counts the processor's time instead of the clock's: for a
 * machine that is busy with other things. PyTorch takes part where a python3 has it (Debian: apt-get install
 * python3-torch libopenblas0-pthread; without the latter it multiplies matrices thirty times slower).
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { rowShape } from '../apps/trainer/src/zoo/network.ts';
import { Contender } from './train/contender.ts';
import { BATCHES, benchChunk, benchModel, benchStart, MODEL_NAMES, type ModelName } from './train/models.ts';

const COMPARED_STEPS = 20;
/** Training time of one contender in one round. */
const ROUND_MS = 500;

const { values: args } = parseArgs({
  options: {
    models: { type: 'string', default: MODEL_NAMES.join(',') },
    only: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '1' },
    slow: { type: 'boolean', default: false },
    cpu: { type: 'boolean', default: false },
  },
});
const threads = args.threads;
const rounds = Number(args.rounds);

/** Who takes part in a network, as the command that runs it. */
interface Entry {
  name: string;
  command: [string, ...string[]];
  models?: readonly ModelName[];
  /** Seconds per step: one step per round, and only when asked for. */
  slow?: readonly ModelName[];
}

const script = (file: string) => path.join(import.meta.dirname, 'train', file);
const python = ['/usr/bin/python3', 'python3'].find(hasTorch);

function hasTorch(file: string): boolean {
  try {
    execFileSync(file, ['-c', 'import torch'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function installed(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}

function entries(model: ModelName, folder: string): Entry[] {
  const ours = (engine: string, more: Partial<Entry> = {}): Entry => ({
    name: engine,
    command: [process.execPath, script('ours.ts'), engine, model, threads],
    ...more,
  });
  const tfjs = (backend: string): Entry => ({
    name: `tfjs-${backend}`,
    command: [process.execPath, script('tfjs.ts'), backend, model, folder],
    models: ['mlp', 'mlpbig'],
  });
  const all: Entry[] = [
    ours('ORT_CPU'),
    ours('ORT_WASM'),
    ours('TFJS', { slow: ['mlpbig', 'cnn', 'cnnbn', 'bert', 'gpt'] }),
    { ...tfjs('cpu'), slow: ['mlpbig'] },
    ...(installed('@tensorflow/tfjs-backend-wasm') ? [tfjs('wasm')] : []),
    ...(python
      ? [{ name: 'PyTorch', command: [python, script('torch_peer.py'), folder, model, threads] } as Entry]
      : []),
  ];
  const wanted = args.only?.split(',');
  return all
    .filter(({ name }) => !wanted || wanted.includes(name))
    .filter(({ models }) => !models || models.includes(model))
    .filter(({ slow }) => args.slow || !slow?.includes(model));
}

/** What the contenders that are not ours read. */
function writeData(name: ModelName, folder: string): void {
  const model = benchModel(name);
  const chunk = benchChunk(model, BATCHES);
  const parameters = model.network.parameters.map(({ name: key, shape, decays }) => ({ name: key, shape, decays }));
  const { batchSize, vocabulary, network } = model;
  const row = rowShape(network.input);
  writeFileSync(path.join(folder, 'meta.json'), JSON.stringify({ batchSize, vocabulary, row, parameters }));
  writeFileSync(path.join(folder, 'params.bin'), benchStart(model));
  writeFileSync(path.join(folder, 'x.bin'), chunk.x);
  writeFileSync(path.join(folder, 'y.bin'), chunk.y);
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

interface Result {
  name: string;
  msPerStep: number;
  peak: number;
  losses: number[];
}

/** One network: everyone trains a first few steps, whose losses are compared, then the rounds. */
async function race(model: ModelName): Promise<Result[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'anneal-bench-'));
  writeData(model, folder);
  const racers: { entry: Entry; contender: Contender; losses: number[]; steps: number; times: number[] }[] = [];
  try {
    for (const entry of entries(model, folder)) {
      const contender = await Contender.start(entry.command, threads);
      const slow = entry.slow?.includes(model) ?? false;
      const { losses } = await contender.train(slow ? 2 : COMPARED_STEPS);
      const warm = slow ? { ms: ROUND_MS } : await contender.train(COMPARED_STEPS);
      const steps = slow ? 1 : Math.max(1, Math.round(ROUND_MS / (warm.ms / COMPARED_STEPS)));
      racers.push({ entry, contender, losses, steps, times: [] });
    }
    for (let round = 0; round < rounds; round++)
      for (const racer of racers) {
        const { ms, cpuMs } = await racer.contender.train(racer.steps);
        racer.times.push((args.cpu ? cpuMs : ms) / racer.steps);
      }
    const results: Result[] = [];
    for (const { entry, contender, losses, times } of racers)
      results.push({ name: entry.name, msPerStep: median(times), peak: await contender.stop(), losses });
    return results;
  } finally {
    for (const { contender } of racers) contender.kill();
    rmSync(folder, { recursive: true });
  }
}

/** Largest relative difference between two trajectories. */
function apart(a: number[], b: number[]): number {
  const both = Math.min(a.length, b.length);
  return Math.max(...a.slice(0, both).map((value, i) => Math.abs(value - (b[i] ?? Number.NaN)) / Math.abs(b[i] ?? 1)));
}

const ratios = new Map<string, number[]>();
const clock = args.cpu ? 'processor time' : 'wall clock';
console.log(
  `${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}, ${threads} thread(s) each, ${clock}`,
);
console.log(`PyTorch: ${python ?? 'no python3 here has torch'}\n`);
for (const model of args.models.split(',') as ModelName[]) {
  const results = await race(model);
  const [ours] = results;
  if (!ours) continue;
  const { parameterCount } = benchModel(model).network;
  console.log(`${model} (${parameterCount} parameters)`);
  for (const { name, msPerStep, peak, losses } of results) {
    const ratio = msPerStep / ours.msPerStep;
    if (name !== ours.name) ratios.set(name, [...(ratios.get(name) ?? []), ratio]);
    const line = [
      name.padEnd(10),
      `${msPerStep.toPrecision(3).padStart(8)} ms/step`,
      `${ratio.toFixed(2).padStart(8)}x ${ours.name}`,
      `peak ${Math.round(peak / 2 ** 20)} MiB`.padStart(15),
      `losses differ by ${apart(losses, ours.losses).toExponential(1)}`,
    ];
    console.log(`  ${line.join('  ')}`);
  }
}
console.log('\nTime per step next to ours, geometric mean (and least) over the networks that it trains:');
for (const [name, all] of ratios) {
  const mean = Math.exp(all.reduce((sum, ratio) => sum + Math.log(ratio), 0) / all.length);
  console.log(`  ${name.padEnd(10)} ${mean.toFixed(2)}x (${Math.min(...all).toFixed(2)}x) over ${all.length}`);
}

if (!args.only) {
  console.log(
    '\nA whole run (preparation, shuffling, validation each epoch, checkpoints, artifact) over its bare steps:',
  );
  const command = [script('overhead.ts'), args.rounds, args.cpu ? 'cpu' : 'clock'];
  execFileSync(process.execPath, command, { stdio: 'inherit' });
}
