/**
 * What this isolate has computed since it started, per endpoint and version, for the statistics extension of the Open
 * Inference Protocol. Other isolates have their own counts; the API's metrics count everything.
 */

/** Milliseconds that the parts of one answered request took. */
export interface Timing {
  /** From the request's arrival to the start of the work: admission, the body, loading the model. */
  queue: number;
  input: number;
  infer: number;
  output: number;
}

export interface DurationStat {
  count: number;
  ns: number;
}

/** Counts of one version behind one endpoint. Times are sums; the clock steps by 1 ms, so single ones say little. */
export interface VersionStatistics {
  /** Milliseconds since 1970 of the last request, 0 before the first. */
  lastInference: number;
  inferences: number;
  success: DurationStat;
  fail: DurationStat;
  queue: DurationStat;
  input: DurationStat;
  infer: DurationStat;
  output: DurationStat;
  /** By instances in a request. */
  batches: Map<number, { input: DurationStat; infer: DurationStat; output: DurationStat }>;
}

export interface Statistics {
  /** Counts a request; `timing` is that of a success. */
  count(endpoint: string, version: number, request: Counted): void;
  /** Zeros before the first request. */
  of(endpoint: string, version: number): VersionStatistics;
}

export interface Counted {
  time: number;
  durationMs: number;
  instances: number;
  timing: Timing | null;
}

/** Versions counted at a time; the one that was quiet longest is forgotten, not the memory filled. */
const MAX_VERSIONS = 1_000;

const zero = (): DurationStat => ({ count: 0, ns: 0 });
const parts = () => ({ input: zero(), infer: zero(), output: zero() });
const empty = (): VersionStatistics => ({
  ...{ lastInference: 0, inferences: 0, success: zero(), fail: zero(), queue: zero() },
  ...{ ...parts(), batches: new Map() },
});

/** Counts that begin at zero. */
export function createStatistics(maxVersions = MAX_VERSIONS): Statistics {
  const versions = new Map<string, VersionStatistics>();
  const keyOf = (endpoint: string, version: number) => `${endpoint}/${version}`;
  return {
    count(endpoint, version, request) {
      const key = keyOf(endpoint, version);
      const counts = versions.get(key) ?? empty();
      versions.delete(key);
      versions.set(key, counts);
      const [oldest] = versions.keys();
      if (versions.size > maxVersions && oldest !== undefined) versions.delete(oldest);
      countRequest(counts, request);
    },
    of: (endpoint, version) => versions.get(keyOf(endpoint, version)) ?? empty(),
  };
}

function countRequest(counts: VersionStatistics, { time, durationMs, instances, timing }: Counted): void {
  counts.lastInference = time;
  add(timing ? counts.success : counts.fail, durationMs);
  if (!timing) return;
  counts.inferences += instances;
  add(counts.queue, timing.queue);
  const batch = counts.batches.get(instances) ?? parts();
  counts.batches.set(instances, batch);
  for (const part of ['input', 'infer', 'output'] as const) {
    add(counts[part], timing[part]);
    add(batch[part], timing[part]);
  }
}

function add(stat: DurationStat, ms: number): void {
  stat.count++;
  stat.ns += Math.round(ms * 1e6);
}
