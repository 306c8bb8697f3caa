/** The event of one run of a model, as the API reads it. What is usual is left out, so that events stay small. Pure. */
import type { PredictionEvent, SelectedBy } from '@anneal/api/contract';
import type { Prediction, Route, RouteVariant } from './contract.ts';
import type { Instance } from './predict/index.ts';

/** workerd's clock steps by 1 ms: what took less than a step is reported as half of one, not as nothing. */
const HALF_STEP_US = 500;
/** Characters of a logged value. */
const MAX_SLICE_LENGTH = 200;
/** Characters of all logged values of an event, which must stay small beside what the outbox holds in one row. */
const MAX_SLICES_LENGTH = 400_000;

/** How a run ended. */
export interface Outcome {
  /** Null for failures, and where the model gives none. */
  predictions: Prediction[] | null;
  errorCode: string | null;
  /** What the model read, where it reads rows. */
  instances?: readonly Instance[] | undefined;
}

/** A run of a variant. */
export interface RunRecord {
  id: string;
  route: Route;
  variant: RouteVariant;
  outcome: Outcome;
  /** In the request. */
  instances: number;
  durationMs: number;
  /** When it ended, milliseconds since 1970. */
  time: number;
  selectedBy: SelectedBy;
  /** A shadow's run: the event of the answer that the client got. */
  shadowOf?: string;
}

/**
 * `durationUs` is wall time by performance.now() from the request's arrival (a shadow's: from its start) to its end. On
 * Cloudflare that clock stands still while code computes and moves with I/O only, so there it says what loading and
 * waiting cost; in the self-hosted process it includes the computing.
 */
export function eventOf(of: RunRecord): PredictionEvent {
  const { predictions, errorCode, instances: rows } = of.outcome;
  const { logged } = of.route.settings;
  const event: PredictionEvent = {
    formatVersion: 1,
    id: of.id,
    endpoint: of.route.endpoint,
    revision: of.route.revision,
    modelVersionId: of.variant.modelVersionId,
    time: new Date(of.time).toISOString(),
    durationUs: Math.round(of.durationMs * 1000) || HALF_STEP_US,
    status: errorCode === null ? 'OK' : 'ERROR',
    errorCode,
    instances: of.instances,
    predictions:
      predictions?.map((p) => ('value' in p ? { value: p.value } : { label: p.label, score: p.score })) ?? null,
  };
  if (of.selectedBy !== 'WEIGHT') event.selectedBy = of.selectedBy;
  if (of.shadowOf !== undefined) Object.assign(event, { role: 'SHADOW', shadowOf: of.shadowOf } as const);
  if (logged.length > 0 && rows) event.slices = slicesOf(rows, logged);
  return event;
}

/** Per row the texts of the logged columns; a missing value has none, neither have arrays. */
export function slicesOf(rows: readonly Instance[], logged: readonly string[]): Record<string, string>[] {
  const room = Math.min(MAX_SLICE_LENGTH, Math.floor(MAX_SLICES_LENGTH / (rows.length * logged.length || 1)));
  return rows.map((row) => {
    const slices: [string, string][] = [];
    for (const column of logged) {
      const value = Object.hasOwn(row, column) ? row[column] : null;
      const text = typeof value === 'object' || value === undefined ? '' : textOf(value, room);
      if (text !== '') slices.push([column, text]);
    }
    return Object.fromEntries(slices);
  });
}

/** PostgreSQL cannot hold NUL and halves of surrogate pairs. */
function textOf(value: unknown, room: number): string {
  return String(value).trim().slice(0, room).replaceAll('\0', '').toWellFormed();
}
