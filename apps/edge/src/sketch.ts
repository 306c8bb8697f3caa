/**
 * What columns look like, without their values: per version and column how many were missing, unseen and in which bin
 * of the training data. Counted after the answer, kept in the isolate and sent as SKETCH events every ten seconds: a
 * crash loses what was not sent.
 */
import type { Sketch } from '@anneal/api/contract';
import type { ColumnProfile, Prediction, RouteVariant } from './contract.ts';
import { uuidv7 } from './digest.ts';
import type { Pin } from './engine/index.ts';
import { type Log, reason } from './log.ts';
import { numberReader, textReader } from './predict/cells.ts';
import type { Instance } from './predict/index.ts';
import type { Recorder } from './recorder.ts';
import type { Observer } from './serve.ts';

/** The name under which what a version answers is counted, among its columns. */
export const PREDICTION = '$prediction';

const BUCKET_MS = 300_000;
const FLUSH_AFTER_MS = 10_000;
/** Rows wait so long to be counted together: one timer for many requests. */
const COUNT_AFTER_MS = 20;
/** A timer that is this late was killed with its request: the next request takes its place. */
const OVERDUE_MS = 2_000;
/** Rows that wait to be counted; further ones are skipped, which is counted. */
const MAX_PENDING_ROWS = 20_000;
/** Of one event, which must stay small beside what the outbox sends at a time. */
const MAX_COLUMNS = 200;

/** What is to be seen of an isolate's sketches. */
export interface SketchState {
  /** Instances that a crash at this moment would lose. */
  unsent: number;
  /** Instances that were not counted for want of room, since the isolate began. */
  skipped: number;
}

export interface Sketches {
  observe: Observer;
  state(): SketchState;
}

export interface SketchParts {
  recorder: Pick<Recorder, 'record'>;
  wait: (ms: number) => Promise<void>;
  /** Milliseconds since 1970. */
  now: () => number;
  log: Log;
}

interface Pending {
  endpoint: string;
  variant: RouteVariant;
  instances: readonly Instance[];
  predictions: readonly Prediction[] | null;
  time: number;
}

/** The sketches of an isolate. */
export function createSketches({ recorder, wait, now, log }: SketchParts): Sketches {
  const counted = createTallies();
  let pending: Pending[] = [];
  let pendingRows = 0;
  let pendingSince = 0;
  let talliesSince = 0;
  let skipped = 0;

  function send(pin: Pin): void {
    for (const event of counted.take(now())) recorder.record(event, 'BUFFERED', pin);
  }

  /** Counts what waits; whoever counts first stays until it is time to send. */
  async function work(pin: Pin): Promise<void> {
    const first = counted.rows() === 0;
    for (const rows of pending) counted.add(rows);
    pending = [];
    pendingRows = 0;
    if (first && counted.rows() > 0) {
      talliesSince = now();
      await wait(FLUSH_AFTER_MS);
      send(pin);
    } else if (now() - talliesSince > FLUSH_AFTER_MS + OVERDUE_MS) send(pin);
  }

  return {
    observe({ route, variant, instances, predictions, time, pin }) {
      if (!route.settings.drift || !variant.profile?.length || !instances) return;
      const overdue = now() - pendingSince > OVERDUE_MS;
      if (pendingRows + instances.length > MAX_PENDING_ROWS && !overdue) {
        skipped += instances.length;
        return;
      }
      const begins = pending.length === 0 || overdue;
      pending.push({ endpoint: route.endpoint, variant, instances, predictions, time });
      pendingRows += instances.length;
      if (!begins) return;
      pendingSince = now();
      const failed = (error: unknown) => log('error', 'sketch.failed', { reason: reason(error) });
      pin(
        wait(COUNT_AFTER_MS)
          .then(() => work(pin))
          .catch(failed),
      );
    },
    state: () => ({ unsent: pendingRows + counted.rows(), skipped }),
  };
}

/** What was counted and not sent, by endpoint, version and five minutes. */
function createTallies() {
  let tallies = new Map<string, Tally>();
  let rows = 0;
  return {
    rows: () => rows,
    add({ endpoint, variant, instances, predictions, time }: Pending): void {
      const bucket = Math.floor(time / BUCKET_MS) * BUCKET_MS;
      const key = `${endpoint} ${variant.modelVersionId} ${bucket}`;
      const tally = tallies.get(key) ?? tallyOf(endpoint, variant, bucket);
      tallies.set(key, tally);
      add(tally, instances, predictions);
      rows += instances.length;
    },
    /** All of it as events, and begins anew. */
    take(now: number): Sketch[] {
      const taken = [...tallies.values()].flatMap((tally) => eventsOf(tally, now));
      tallies = new Map();
      rows = 0;
      return taken;
    },
  };
}

interface Counts {
  n: number;
  missing: number;
  unseen: number;
  counts: number[];
}
interface ColumnPlan {
  column: string;
  bins: number;
  /** Adds one cell. */
  count(value: unknown, to: Counts): void;
}

interface Tally {
  endpoint: string;
  modelVersionId: string;
  bucket: number;
  columns: (Counts & { plan: ColumnPlan })[];
}

/** A route is read again only when it changes: its look-up tables are made once. */
const plans = new WeakMap<RouteVariant, ColumnPlan[]>();

function tallyOf(endpoint: string, variant: RouteVariant, bucket: number): Tally {
  let plan = plans.get(variant);
  if (!plan) {
    plan = (variant.profile ?? []).flatMap((profile) => planOf(variant.manifest, profile) ?? []);
    plans.set(variant, plan);
  }
  const columns = plan.map((of) => {
    return { plan: of, n: 0, missing: 0, unseen: 0, counts: new Array<number>(of.bins).fill(0) };
  });
  return { endpoint, modelVersionId: variant.modelVersionId, bucket, columns };
}

function add(tally: Tally, instances: readonly Instance[], predictions: readonly Prediction[] | null): void {
  for (const column of tally.columns) {
    const { plan } = column;
    if (plan.column === PREDICTION)
      for (const prediction of predictions ?? []) plan.count(answerOf(prediction), column);
    else for (const instance of instances) plan.count(instance[plan.column], column);
  }
}

function put(bin: number, unseen: boolean, to: Counts): void {
  to.n++;
  to.counts[bin] = (to.counts[bin] ?? 0) + 1;
  if (unseen) to.unseen++;
}

function putMissing(to: Counts): void {
  to.n++;
  to.missing++;
}

const answerOf = (prediction: Prediction) => ('value' in prediction ? prediction.value : prediction.label);

/** Cells are read as the model reads them: trimmed, renamed, and missing where the manifest says so. */
function planOf(manifest: RouteVariant['manifest'], profile: ColumnProfile): ColumnPlan | undefined {
  if ('kind' in manifest) return undefined; // it reads tensors
  const described = manifest.columns.find(({ name }) => name === profile.column);
  const column = described ?? { name: profile.column, kind: profile.kind, used: true };
  const missing = new Set(described ? ['', ...manifest.missingValues] : []);
  return profile.kind === 'NUMERIC'
    ? numericPlan(profile, numberReader(column, missing))
    : categoricalPlan(profile, textReader(column, missing));
}

type ProfileOf<K extends ColumnProfile['kind']> = Extract<ColumnProfile, { kind: K }>;

function numericPlan(profile: ProfileOf<'NUMERIC'>, read: ReturnType<typeof numberReader>): ColumnPlan {
  const { column, edges, min, max } = profile;
  return {
    column,
    bins: edges.length + 1,
    count(value, to) {
      const number = read(value);
      if (typeof number !== 'number' || Number.isNaN(number)) putMissing(to);
      else put(binOf(edges, number), number < min || number > max, to);
    },
  };
}

/** How many edges are at most the value. */
export function binOf(edges: readonly number[], value: number): number {
  let [low, high] = [0, edges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((edges[middle] ?? 0) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function categoricalPlan(profile: ProfileOf<'CATEGORICAL'>, read: ReturnType<typeof textReader>): ColumnPlan {
  const { column, categories, others } = profile;
  const bins = new Map(categories.map((name, i) => [name, i]));
  return {
    column,
    bins: categories.length + 1,
    count(value, to) {
      const text = read(value);
      if (typeof text !== 'string' || text === '') return putMissing(to);
      const bin = bins.get(text);
      put(bin ?? categories.length, bin === undefined && !others, to);
    },
  };
}

function eventsOf({ endpoint, modelVersionId, bucket, columns }: Tally, now: number): Sketch[] {
  const counted = columns
    .filter(({ n }) => n > 0)
    .map(({ plan: { column }, n, missing, unseen, counts }) => ({ column, n, missing, unseen, counts }));
  const events: Sketch[] = [];
  for (let start = 0; start < counted.length; start += MAX_COLUMNS)
    events.push({
      formatVersion: 1,
      kind: 'SKETCH',
      id: uuidv7(now),
      ...{ endpoint, modelVersionId },
      time: new Date(bucket).toISOString(),
      columns: counted.slice(start, start + MAX_COLUMNS),
    });
  return events;
}
