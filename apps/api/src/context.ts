/** What every resolver sees: the dependencies, who calls, and what this one request has already loaded. */
import { randomUUID } from 'node:crypto';
import type { Scope } from '@anneal/edge/contract';
import type { Deps } from './deps.ts';
import { type ComparisonLoader, comparisonLoader } from './domain/comparison.ts';
import { type DriftLoader, driftLoader } from './domain/drift.ts';
import { type LiveLoader, liveLoader } from './domain/live.ts';
import { type SlicesLoader, slicesLoader } from './domain/live-slices.ts';
import { type RunMetricsLoader, runMetricsLoader } from './domain/run-metrics.ts';
import { type TrafficLoader, trafficLoader } from './domain/traffic.ts';
import { type TrialRanksLoader, trialRanksLoader } from './domain/trial-ranks.ts';
import { forbidden } from './errors.ts';

/** Who calls. A key without a project is a service key of the installation (a trainer or an edge). */
export type Caller = { kind: 'anonymous' } | KeyCaller;
export interface KeyCaller {
  kind: 'key';
  keyId: string;
  projectId: string | null;
  scopes: Scope[];
}

/** Answers of one request that many fields share, each loaded by one statement. */
export interface Loaders {
  runMetrics: RunMetricsLoader;
  traffic: TrafficLoader;
  live: LiveLoader;
  comparison: ComparisonLoader;
  slices: SlicesLoader;
  drift: DriftLoader;
  trialRanks: TrialRanksLoader;
}

/** Context of one GraphQL operation. */
export interface Context extends Deps {
  caller: Caller;
  requestId: string;
  loaders: Loaders;
  /** Aborted when the client goes away: long polls must not take what nobody will receive. */
  signal?: AbortSignal;
}

/** One context per operation: loaders must not outlive it. */
export function createContext(
  deps: Deps,
  caller: Caller,
  requestId: string = randomUUID(),
  signal?: AbortSignal,
): Context {
  return {
    ...deps,
    caller,
    requestId,
    signal,
    loaders: {
      runMetrics: runMetricsLoader(deps.prisma),
      traffic: trafficLoader(deps),
      live: liveLoader(deps),
      comparison: comparisonLoader(deps),
      slices: slicesLoader(deps),
      drift: driftLoader(deps),
      trialRanks: trialRanksLoader(deps.prisma),
    },
  };
}

/** Whether the caller's key carries the scope; admin implies every scope. */
export function hasScope(caller: Caller, scope: Scope): boolean {
  return caller.kind === 'key' && (caller.scopes.includes(scope) || caller.scopes.includes('admin'));
}

/** The project that the caller acts in. @throws FORBIDDEN for service keys, which have none. */
export function projectOf(caller: Caller): string {
  if (caller.kind !== 'key' || caller.projectId === null)
    throw forbidden('This needs a key of a project; service keys have none.');
  return caller.projectId;
}
