/**
 * Evaluations of model versions: stored predictions of held-out rows, compared with the table's truth. What is computed
 * is kept, because predictions, table and threshold never change. Knows no GraphQL; the mathematics is in evaluation/.
 */
import { EDGE_BUILD, WASM_DIGEST } from '@anneal/edge/engine';
import { decodeTable, type Table } from '@anneal/trainer/contract';
import type { BlobStore, Deps } from '../deps.ts';
import type { Evaluation } from '../evaluation/evaluate.ts';
import type { Evaluation as EvaluationRow } from '../generated/prisma/client.ts';
import { type EvaluationThread, evaluationThread } from './evaluation-thread.ts';
import type { LiveJob } from './evaluation-worker.ts';

export type { EvaluationRow };

/** The metrics of an evaluation; `kind` tells classification from regression. */
export type Metrics = Evaluation;

/** What must be known beside the stored predictions. */
export interface EvaluationQuery {
  evaluation: EvaluationRow;
  positiveClass: string | null;
  /** The manifest's, which the version answers with. */
  threshold: number | null;
  /** Another threshold to count at; null = the manifest's. BINARY only. */
  at: number | null;
}

/** Answers kept per evaluation and threshold: some thousands of numbers each. */
const KEPT_METRICS = 256;
/** Truths kept, one per data set version: a page of versions of one model reads its table once. */
const KEPT_TRUTHS = 4;

/** Everything computed from one blob store; a composition (a process, a test) has one. */
interface Kept {
  metrics: Map<string, Promise<Metrics>>;
  truths: Map<string, Promise<Table>>;
  thread: EvaluationThread;
}
const keptByStore = new WeakMap<BlobStore, Kept>();

/**
 * The metrics of a stored evaluation, computed once per threshold.
 * Rejects when stored predictions and table do not fit each other, which is a bug; callers check `at`.
 */
export function metricsOf(deps: Pick<Deps, 'blobs'>, query: EvaluationQuery): Promise<Metrics> {
  const kept = keptOf(deps);
  const { evaluation, at } = query;
  return remember(kept.metrics, KEPT_METRICS, `${evaluation.id} ${at}`, () => compute(deps, kept, query));
}

function keptOf({ blobs }: Pick<Deps, 'blobs'>): Kept {
  const kept = keptByStore.get(blobs) ?? { metrics: new Map(), truths: new Map(), thread: evaluationThread() };
  keptByStore.set(blobs, kept);
  return kept;
}

/** Metrics of answers that are not stored as predictions of a table; not kept, as they change with every label. */
export function evaluateInThread(deps: Pick<Deps, 'blobs'>, job: LiveJob): Promise<Metrics> {
  return keptOf(deps).thread.compute(job);
}

/** Whether other code predicted than the edge runs now: then the numbers may differ from what users get. */
export function isStale(evaluation: Pick<EvaluationRow, 'wasmDigest' | 'edgeBuild'>): boolean {
  return evaluation.wasmDigest !== WASM_DIGEST || evaluation.edgeBuild !== EDGE_BUILD;
}

async function compute(deps: Pick<Deps, 'blobs'>, kept: Kept, query: EvaluationQuery): Promise<Metrics> {
  const { evaluation, positiveClass, threshold, at } = query;
  // Log loss and ROC AUC, most of the work, are the same at every threshold.
  const same = at === null ? null : await metricsOf(deps, { ...query, at: null });
  const [predictions, table] = await Promise.all([
    deps.blobs.read(evaluation.predictionsDigest),
    remember(kept.truths, KEPT_TRUTHS, evaluation.datasetDigest, async () =>
      truthOf(decodeTable(await deps.blobs.read(evaluation.datasetDigest))),
    ),
  ]);
  const known = same?.kind === 'CLASSES' ? same : null;
  return await kept.thread.compute({ predictions, table, positiveClass, threshold, at, known });
}

/** The table without its features, in memory of its own: the feature columns, most of the bytes, can go. */
function truthOf({ rowCount, target, rows, split }: Table): Table {
  return {
    rowCount,
    columns: [],
    target: {
      ...target,
      codes: target.codes?.slice() ?? null,
      values: target.values?.slice() ?? null,
    },
    rows: rows.slice(),
    split: split.slice(),
  };
}

/** Shares work in flight, keeps what was used last, and forgets failures. */
function remember<V>(kept: Map<string, Promise<V>>, limit: number, key: string, make: () => Promise<V>): Promise<V> {
  const found = kept.get(key) ?? make();
  kept.delete(key); // a Map keeps insertion order: what was asked for last stands last
  kept.set(key, found);
  for (const oldest of kept.keys()) {
    if (kept.size <= limit) break;
    kept.delete(oldest);
  }
  found.catch(() => kept.get(key) === found && kept.delete(key));
  return found;
}
