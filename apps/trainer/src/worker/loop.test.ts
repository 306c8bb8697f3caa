import { existsSync } from 'node:fs';
import { PredictionsFile } from '@anneal/api/contract';
import { Manifest } from '@anneal/edge/contract';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ImportSpec, RunSpec, Table } from '../contract.ts';
import { column, runSpec, table } from '../data/testing.ts';
import { encodeModel } from '../ir/encode.ts';
import { sha256 } from '../job/digest.ts';
import { Random } from '../random.ts';
import { Api } from './api.ts';
import { createLog } from './log.ts';
import { type LoopOptions, runTrainer } from './loop.ts';
import { KEY, PlayedApi } from './testing.ts';

const random = Random.from(5, 'loop');
const cells = Array.from({ length: 200 }, () => random.normal());
const small: Table = table(
  [column('a', cells)],
  cells.map((cell) => (cell > 0 ? 'up' : 'down')),
  cells.map((_, i) => (i % 5 === 0 ? 'TEST' : 'TRAIN')),
);
const quick: RunSpec = runSpec(small, { budget: { maxEpochs: 20, maxSeconds: null, patience: null } });
/** Never ends by itself within a test. */
const endless: RunSpec = runSpec(small, { budget: { maxEpochs: 100_000, maxSeconds: null, patience: null } });

/** An ONNX file of one node. */
function relu(): Buffer {
  const type = { kind: 'TENSOR', type: 'FLOAT', shape: ['N', 3] } as const;
  const node = { name: '', type: 'Relu', domain: '', inputs: ['x'], outputs: ['y'], attributes: new Map() };
  const graph = {
    ...{ name: 'relu', nodes: [node], initializers: [], sparseInitializers: [], values: [] },
    ...{ inputs: [{ name: 'x', type }], outputs: [{ name: 'y', type }] },
  };
  const producer = { name: 'test', version: '' };
  const opsets = [{ domain: '', version: 17 }];
  return Buffer.from(encodeModel({ irVersion: 8, opsets, producer, graph, functions: [], metadata: new Map() }));
}

let played: PlayedApi;
let lines: Record<string, unknown>[];
let end: AbortController;
let running: Promise<unknown>;

function startTrainer(options: Partial<LoopOptions> = {}): void {
  const { key = KEY, ...more } = options;
  const api = new Api({ url: played.url, key, firstWaitMs: 5 });
  const log = createLog('info', {}, (line) => lines.push(JSON.parse(line)));
  const common = { api, key, name: 'test', engines: ['AUTO'], log, logLevel: 'error', signal: end.signal } as const;
  running = Promise.all([running, runTrainer({ ...common, heartbeatMs: 50, ...more })]);
}
/** The job process of the run that was claimed last. */
const pidOf = () => Number(lines.findLast((line) => line.message === 'run claimed')?.pid);
/** The trainer has reaped its children by the time it speaks of them, so a dead one has no pid any more. */
function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

beforeEach(async () => {
  played = await PlayedApi.start();
  lines = [];
  end = new AbortController();
  running = Promise.resolve();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  end.abort();
  await running;
  await played.close();
});

describe('the loop', () => {
  test('takes runs one after the other from claim to version', async () => {
    const runs = [played.queue('first', small, quick), played.queue('second', small, quick)];
    startTrainer();
    for (const run of runs) await played.until(() => run.status === 'SUCCEEDED');
    const [first, second] = runs.map((run) => run.completed ?? {});
    const manifest = Manifest.parse(first?.manifest);
    expect(manifest).toEqual(second?.manifest);
    expect(played.blobs.get(String(first?.artifactToken))).toHaveLength(manifest.artifact.byteLength);
    const file = JSON.parse(played.blobs.get(String(first?.predictionsToken))?.toString() ?? '');
    expect(PredictionsFile.parse(file).rows).toHaveLength(40);
    expect(first).toMatchObject({ attempt: 1, parity: { labelAgreement: 1 }, wasmDigest: expect.any(String) });
    const steps = runs[0]?.points.filter((point) => point.name === 'train_loss').map((point) => point.step);
    expect(steps).toEqual(Array.from({ length: 20 }, (_, epoch) => (epoch + 1) * 5)); // 160 rows in batches of 32
  });

  test('reports progress while it works and cancels a run that its owner gives up', async () => {
    const run = played.queue('given-up', small, endless);
    startTrainer();
    await played.until(() => run.progress > 0);
    const pid = pidOf();
    run.cancelRequested = true;
    const asked = performance.now();
    await played.until(() => run.status === 'CANCELED');
    expect(performance.now() - asked).toBeLessThan(1000);
    expect(alive(pid)).toBe(false);
  });

  test('a job that is killed fails its run, and the next one is served', async () => {
    const run = played.queue('killed', small, endless);
    startTrainer();
    await played.until(() => run.points.length > 0);
    process.kill(pidOf(), 'SIGKILL');
    await played.until(() => run.status === 'FAILED');
    // the system's own way to end what takes too much memory; nobody else is expected to
    expect(run.error).toMatchObject({ code: 'OUT_OF_MEMORY', message: expect.stringContaining('ended by SIGKILL') });
    const next = played.queue('next', small, quick);
    await played.until(() => next.status === 'SUCCEEDED');
  });

  test('an import goes its own lane beside a training, and is judged by what the file holds', async () => {
    const training = played.queue('training', small, endless);
    startTrainer();
    startTrainer({ kinds: ['IMPORT'], spare: false });
    await played.until(() => training.progress > 0);
    const imports = [played.blobOf(relu()), played.blobOf(Buffer.from('no ONNX'))].map((digest, i) => {
      const source = { digest, byteLength: played.blobs.get(digest)?.byteLength ?? 0, filename: 'theirs.onnx' };
      const none = {
        ...{ signature: null, labels: null, positiveClass: null, threshold: null },
        ...{ preprocessing: null, data: null },
      };
      const spec: ImportSpec = { formatVersion: 1, kind: 'IMPORT', source, ...none };
      return played.queueRaw(`import ${i}`, spec, digest, 'IMPORT');
    });
    const [good, bad] = imports;
    await played.until(() => imports.every(({ status }) => status !== 'QUEUED' && status !== 'RUNNING'));
    expect(training.status).toBe('RUNNING');
    expect(bad).toMatchObject({ status: 'FAILED', error: { code: 'ONNX_INVALID' } });
    expect(good).toMatchObject({ status: 'SUCCEEDED', error: null, completed: { predictionsToken: null } });
    const { artifactToken, manifest, report } = good?.completed ?? {};
    const artifact = played.blobs.get(String(artifactToken)) ?? Buffer.alloc(0);
    expect(manifest).toMatchObject({
      ...{ kind: 'TENSORS', artifact: { digest: sha256(artifact), byteLength: artifact.byteLength } },
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 3] }],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 3] }],
    });
    expect(report).toMatchObject({ filename: 'theirs.onnx', sourceDigest: sha256(relu()) });
  });

  test('a job that crashes fails its run with the end of its stderr', async () => {
    const jobModule = new URL('./no-such-job.ts', import.meta.url);
    const run = played.queue('broken', small, quick);
    startTrainer({ jobModule });
    await played.until(() => run.status === 'FAILED');
    expect(run.error).toMatchObject({ code: 'JOB_CRASHED', message: expect.stringContaining('MODULE_NOT_FOUND') });
  });

  const limited = existsSync('/proc/self/status') && existsSync('/usr/bin/prlimit');
  test.runIf(limited)('runs that need more memory than there is fail with advice', async () => {
    // fails in V8 before the first step, and in onnxruntime within it
    const sizes = [
      [8192, 8192, 8192],
      [3000, 3000],
    ];
    const runs = sizes.map((hidden) =>
      played.queue(`${hidden}`, small, { ...quick, architecture: { mlp: { hidden } } }),
    );
    startTrainer({ jobModule: new URL('./testing-short-of-memory.ts', import.meta.url) });
    for (const run of runs) await played.until(() => run.status === 'FAILED');
    for (const { error } of runs)
      expect(error).toMatchObject({ code: 'OUT_OF_MEMORY', message: expect.stringContaining('batchSize') });
    expect(runs[0]?.error?.message).not.toBe(runs[1]?.error?.message);
  });

  test('a job that fills its heap fails its run for want of memory', async () => {
    vi.stubEnv('NODE_OPTIONS', '--max-old-space-size=64'); // megabytes
    const run = played.queue('hoarder', small, quick);
    startTrainer({ jobModule: new URL('./testing-hoarder.ts', import.meta.url) });
    await played.until(() => run.status === 'FAILED');
    expect(run.error).toMatchObject({ code: 'OUT_OF_MEMORY', message: expect.stringContaining('heap') });
  });

  test('a trial asks at its rungs and ends where its search stops it', async () => {
    const held: Table = { ...small, split: small.split.map((part, i) => (part === 0 && i % 5 === 1 ? 1 : part)) };
    const spec = { ...quick, objective: 'LOG_LOSS' as const };
    const [stopped, whole] = [played.queue('stopped', held, spec), played.queue('whole', held, spec)];
    stopped.rungs = new Map([
      [2, 'PROCEEDS'],
      [5, 'STOPS'],
    ]);
    whole.rungs = new Map([[5, 'PROCEEDS']]);
    startTrainer();
    await played.until(() => whole.status === 'SUCCEEDED');
    expect({ status: stopped.status, completed: stopped.completed }).toEqual({ status: 'CANCELED', completed: null });
    const losses = (run: typeof whole) => run.points.filter(({ name }) => name === 'validation_loss');
    expect(losses(stopped)).toHaveLength(5);
    expect(losses(stopped)).toEqual(losses(whole).slice(0, 5));
    expect(whole.completed?.score).toBe(Math.min(...losses(whole).map(({ value }) => value)));
    expect(played.calls.filter((name) => name === 'reportRung')).toHaveLength(3);
    expect(played.calls).not.toContain('failRun');
  });

  test('an attempt that was replaced stops and writes nothing more', async () => {
    const run = played.queue('replaced', small, endless);
    startTrainer();
    await played.until(() => run.points.length > 0);
    const pid = pidOf();
    run.attempt++; // another trainer has claimed it
    await played.until(() => lines.some((line) => line.message === 'run ended' && line.outcome === 'STALE'));
    expect(alive(pid)).toBe(false);
    expect({ status: run.status, error: run.error }).toEqual({ status: 'RUNNING', error: null });
    expect(played.calls).not.toContain('failRun');
  });

  test('a job without a sign of life is killed', async () => {
    const run = played.queue('hung', small, quick);
    startTrainer({ stallMs: 0 });
    await played.until(() => run.status === 'FAILED');
    expect(run.error?.code).toBe('JOB_STALLED');
  });

  test('when told to end it kills the job and leaves the run to its lease', async () => {
    const run = played.queue('left', small, endless);
    startTrainer();
    await played.until(() => run.points.length > 0);
    const pid = pidOf();
    end.abort();
    await running;
    expect(alive(pid)).toBe(false);
    expect({ status: run.status, error: run.error }).toEqual({ status: 'RUNNING', error: null });
    end = new AbortController();
    run.spec = { ...Object(run.spec), budget: quick.budget };
    played.expireLease(run.id);
    startTrainer();
    await played.until(() => run.status === 'SUCCEEDED');
    expect(run.attempt).toBe(2);
  });

  test('a run that is taken over goes on from its checkpoint and ends with the same bytes', async () => {
    const spec = runSpec(small, { budget: { maxEpochs: 1000, maxSeconds: null, patience: null } });
    const whole = played.queue('whole', small, spec);
    const torn = played.queue('torn', small, spec);
    startTrainer({ checkpointSeconds: 0 });
    await played.until(() => whole.status === 'SUCCEEDED' && torn.checkpoint);
    end.abort();
    await running;
    const saved = torn.checkpoint?.step ?? 0;
    torn.points = [];
    played.expireLease(torn.id);
    end = new AbortController();
    startTrainer();
    await played.until(() => torn.status === 'SUCCEEDED');
    expect(torn.attempt).toBe(2);
    expect(torn.points[0]?.step).toBeGreaterThan(saved);
    expect(saved).toBeGreaterThan(0);
    expect(torn.completed?.manifest).toEqual(whole.completed?.manifest);
  });

  test('a checkpoint that cannot be read costs time, not the run', async () => {
    const run = played.queue('unreadable', small, quick);
    run.checkpoint = { step: 5, digest: run.table };
    startTrainer();
    await played.until(() => run.status === 'SUCCEEDED');
    expect(run.points[0]?.step).toBe(5); // the first epoch again
  });

  test('an API that is away is asked again', async () => {
    played.outages.push(503, 502, 500);
    const run = played.queue('patient', small, quick);
    startTrainer();
    await played.until(() => run.status === 'SUCCEEDED');
    expect(played.outages).toEqual([]);
  });

  test('failures of the job carry their code to the API', async () => {
    const unreadable = played.queueRaw('unreadable', { formatVersion: 99 }, 'none');
    const diverging = played.queue('diverging', small, {
      ...runSpec(small),
      optimizer: { kind: 'SGD', learningRate: 1e38, momentum: 0, weightDecay: 0 },
    });
    const elsewhere = played.queue('elsewhere', small, { ...quick, features: [{ name: 'z', kind: 'NUMERIC' }] });
    startTrainer();
    for (const run of [unreadable, diverging, elsewhere]) await played.until(() => run.status === 'FAILED');
    expect(unreadable.error).toMatchObject({ code: 'SPEC_INVALID', message: expect.stringContaining('formatVersion') });
    expect(diverging.error?.code).toBe('DIVERGED');
    expect(elsewhere.error).toMatchObject({ code: 'DATA_MISMATCH', message: expect.stringContaining('"z"') });
  });
});
