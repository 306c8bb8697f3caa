/** A training job, from a claim to a model version, as the list of its steps. All that it says to the API is here. */
import type { OrtRuntime } from '@anneal/edge/engine';
import { decodeTable, RunSpec } from '../contract.ts';
import { type Engine, EngineError, openEngine } from '../engine/index.ts';
import { JobFailure, StoppedEarly } from '../failure.ts';
import { type Api, ApiError } from '../worker/api.ts';
import type { Log } from '../worker/log.ts';
import {
  type MetricPoint,
  reportMetrics,
  reportRung,
  saveCheckpoint,
  type TrainClaim,
  upload,
} from '../worker/operations.ts';
import { specDigestOf } from './artifact.ts';
import { Aside } from './aside.ts';
import { decodeCheckpoint, encodeCheckpoint, type Progress } from './checkpoint.ts';
import { download } from './download.ts';
import type { EpochReport } from './fit.ts';
import { make } from './make.ts';
import { evaluateAtEdge, publish } from './publish.ts';
import { MetricReport } from './report.ts';
import { objectiveOf } from './validate.ts';

/** A claim with all that its job may touch. */
export interface TrainJob {
  api: Api;
  claim: TrainClaim;
  log: Log;
  checkpointSeconds: number;
  /** The edge's runtime, loading since the process began. */
  edge: Promise<OrtRuntime>;
  /** A sign of life, with the share of the run that is done. */
  beat: (progress: number) => void;
}

/** The rest is publishing. */
const TRAINED = 0.95;

/** Runs the claim. Answers the number of the new version. @throws JobFailure, StaleAttempt, ApiError */
export async function train(job: TrainJob): Promise<number> {
  const { api, claim, log } = job;
  const { runId, attempt } = claim;
  const spec = parseSpec(claim.spec);
  let progress = 0;
  const beat = (now = progress) => {
    progress = Math.max(progress, now);
    job.beat(progress);
  };
  const table = decodeTable(await download(api, claim.datasetUrl, spec.datasetDigest, beat));
  const engine = await engineFor(spec, log);
  const from = await resume(job, spec, beat);

  const scoreOf = ({ best }: Progress) => best && objectiveOf(best.score, spec.objective);
  let score = from && scoreOf(from);
  const write = (points: MetricPoint[]) =>
    reportMetrics(api, { runId, attempt, points, progress, engine: engine.name, device: engine.device, score });
  const metrics = new MetricReport(write);
  const checkpoints = new Checkpoints(job, specDigestOf(spec), () => metrics.flush());
  const began = performance.now();
  const made = await make({
    engine,
    spec,
    table,
    from,
    dataset: claim,
    goOn: async (now) => {
      if (!claim.rungs.includes(now.epoch)) return;
      await metrics.flush(); // a trial that ends here writes no more
      await askToGoOn(job, now.epoch, scoreOf(now));
    },
    onBeat: beat,
    onStep: (epochs, steps) => {
      const seconds = (from?.seconds ?? 0) + (performance.now() - began) / 1000;
      beat(TRAINED * share(spec, { epochs, steps, seconds }));
    },
    onEpoch: (report, state) => {
      score = scoreOf(state);
      metrics.add(report.step, pointsOf(report));
      checkpoints.offer(state);
    },
  });
  await checkpoints.settle();
  const { stop, progress: done } = made;
  log.info('trained', { stop, epochs: done.epoch, bestEpoch: done.best?.epoch ?? null, steps: done.state.step });
  beat(TRAINED);

  const evaluated = await evaluateAtEdge(await job.edge, made, beat);
  log.info('parity holds', { ...evaluated.parity });
  await metrics.flush();
  return publish(api, { runId, attempt }, made, { ...evaluated, score });
}

function parseSpec(spec: unknown): RunSpec {
  const parsed = RunSpec.safeParse(spec);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new JobFailure('SPEC_INVALID', `This trainer cannot read the RunSpec: ${issues.join('; ')}`);
}

async function engineFor(spec: RunSpec, log: Log): Promise<Engine> {
  try {
    const { engine, why } = await openEngine(spec.engine, { threads: spec.threads });
    log.info('engine chosen', { engine: engine.name, device: engine.device, why });
    return engine;
  } catch (error) {
    if (error instanceof EngineError) throw new JobFailure('ENGINE_UNAVAILABLE', error.message, { cause: error });
    throw error;
  }
}

/** The state to go on from. A checkpoint that cannot be read costs time, not the run. */
async function resume({ api, claim, log }: TrainJob, spec: RunSpec, beat: () => void): Promise<Progress | null> {
  if (!claim.checkpoint) return null;
  try {
    const progress = decodeCheckpoint(await download(api, claim.checkpoint.url, null, beat), specDigestOf(spec));
    log.info('resuming from a checkpoint', { epoch: progress.epoch, step: progress.state.step });
    return progress;
  } catch (error) {
    log.warn('the checkpoint cannot be used; training from the start', { error: String(error) });
    return null;
  }
}

/** At a rung of its search, asks whether the run goes on. @throws StoppedEarly when it does not */
async function askToGoOn({ api, claim, log }: TrainJob, epoch: number, score: number | null): Promise<void> {
  if (score === null) return;
  const { runId, attempt } = claim;
  const proceeds = await reportRung(api, { runId, attempt, epoch, score });
  log.info('rung reached', { epoch, score, proceeds });
  if (!proceeds) throw new StoppedEarly(`The search ended this trial after epoch ${epoch}.`);
}

/** Share of the budget that is used up, by whichever limit comes first. */
function share({ budget }: RunSpec, used: { epochs: number; steps: number; seconds: number }): number {
  const of = (part: number, limit: number | null | undefined) => (limit == null ? 0 : part / limit);
  const shares = [used.epochs / budget.maxEpochs, of(used.steps, budget.maxSteps), of(used.seconds, budget.maxSeconds)];
  return Math.min(1, Math.max(...shares));
}

/** Metrics of one epoch by their public names. */
function pointsOf({ trainLoss, learningRate, validation }: EpochReport): Record<string, number | null> {
  const { kind: _, ...judged } = validation ?? { kind: null };
  const held = Object.entries(judged).map(([name, value]) => [`validation_${name}`, value]);
  return { train_loss: trainLoss, learning_rate: learningRate, ...Object.fromEntries(held) };
}

/**
 * Saves the state now and then, beside the training, once the metrics up to it are written: who goes on from it does
 * not report them again.
 */
class Checkpoints {
  readonly #job: TrainJob;
  readonly #specDigest: string;
  readonly #before: () => Promise<void>;
  readonly #aside = new Aside();
  #lastAt = performance.now();

  constructor(job: TrainJob, specDigest: string, before: () => Promise<void>) {
    this.#job = job;
    this.#specDigest = specDigest;
    this.#before = before;
  }

  /** Takes the state of an epoch's end, if it is time. @throws what an earlier save was refused with */
  offer(progress: Progress): void {
    this.#aside.check();
    const seconds = (performance.now() - this.#lastAt) / 1000;
    if (this.#aside.busy || seconds < this.#job.checkpointSeconds) return;
    this.#lastAt = performance.now();
    const bytes = encodeCheckpoint(progress, this.#specDigest);
    this.#aside.begin(() => this.#save(bytes, progress.state.step));
  }

  settle(): Promise<void> {
    return this.#aside.settle();
  }

  async #save(bytes: Uint8Array<ArrayBuffer>, step: number): Promise<void> {
    const { api, claim, log } = this.#job;
    const { runId, attempt } = claim;
    await this.#before();
    try {
      const file = { filename: `step-${step}.ckpt`, mediaType: 'application/octet-stream', bytes, runId };
      await saveCheckpoint(api, { runId, attempt, step, uploadToken: await upload(api, file) });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      log.warn('a checkpoint was refused; training goes on without it', { error: error.message });
    }
  }
}
