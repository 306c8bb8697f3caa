/** Traffic of model versions in a window of time, answered from the roll-ups alone. Knows no events and no GraphQL. */
import type { VariantRole } from '../contract.ts';
import type { Deps } from '../deps.ts';
import { batched } from './batched.ts';
import { quantile } from './histogram.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 1440 * MINUTE_MS;
/** Longest window: above it, a query would read more minutes than an interactive answer should. */
export const MAX_WINDOW_DAYS = 31;
/** The window of a query that names none. */
export const DEFAULT_WINDOW = '24h';

/** A window as it was asked for; of none, the default. */
export type WindowInput = { last?: string | null; from?: Date | null; to?: Date | null } | null | undefined;

/** Whole minutes: `from` included, `to` not. */
export interface Window {
  from: Date;
  to: Date;
}

/** What was asked of one version; `null` where nothing was: of no requests there is no rate and no latency. */
export interface Traffic {
  window: Window;
  requests: number;
  errors: number;
  instances: number;
  errorRate: number | null;
  /** Milliseconds. */
  latency: { p50: number | null; p95: number | null; p99: number | null };
}

/** A window that cannot be read; `message` says what was expected. */
export class BadWindow extends Error {
  override name = 'BadWindow';
}

const ISO_DURATION = /^P(?=.)(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?=.)(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?$/;
const SHORT_DURATION = /^(\d{1,8})([smhdw])$/;
const UNITS_MS = { s: 1000, m: MINUTE_MS, h: 60 * MINUTE_MS, d: DAY_MS, w: 7 * DAY_MS };
const isUnit = (unit: string | undefined): unit is keyof typeof UNITS_MS => unit !== undefined && unit in UNITS_MS;

/** Milliseconds of an ISO 8601 duration (PT1H, P7D; weeks to seconds) or a short one (15m, 24h, 7d); else undefined. */
export function parseDuration(text: string): number | undefined {
  const [, amount, unit] = SHORT_DURATION.exec(text) ?? [];
  if (isUnit(unit)) return Number(amount) * UNITS_MS[unit];
  const parts = ISO_DURATION.exec(text)?.slice(1);
  if (!parts) return undefined;
  const units = [UNITS_MS.w, UNITS_MS.d, UNITS_MS.h, UNITS_MS.m, UNITS_MS.s];
  return units.reduce((sum, ms, i) => sum + Number(parts[i] ?? 0) * ms, 0);
}

/**
 * The whole minutes that a window touches: `last` counts back from now, else from `from` (included) to `to` (or now).
 * @throws BadWindow
 */
export function windowOf(input: WindowInput, now: Date): Window {
  const { last, from, to } = input ?? {};
  if (last != null && (from || to)) throw new BadWindow('window: give either "last" or "from" and "to", not both');
  if (to && !from) throw new BadWindow('window: "to" needs a "from"');
  if (from) return wholeMinutes(from, to ?? now);
  const duration = parseDuration(last ?? DEFAULT_WINDOW);
  if (!duration)
    throw new BadWindow(
      `window.last: expected a duration such as PT1H, P7D, 15m, 24h or 7d, longer than 0, got "${last}"`,
    );
  return wholeMinutes(new Date(now.getTime() - duration), now);
}

function wholeMinutes(from: Date, to: Date): Window {
  if (from >= to)
    throw new BadWindow(`window: "from" (${from.toISOString()}) must be before "to" (${to.toISOString()})`);
  if (to.getTime() - from.getTime() > MAX_WINDOW_DAYS * DAY_MS)
    throw new BadWindow(`window: at most ${MAX_WINDOW_DAYS} days, got ${from.toISOString()} to ${to.toISOString()}`);
  return {
    from: new Date(Math.floor(from.getTime() / MINUTE_MS) * MINUTE_MS),
    to: new Date((Math.floor((to.getTime() - 1) / MINUTE_MS) + 1) * MINUTE_MS),
  };
}

interface Sums {
  modelVersionId: string;
  requests: number;
  errors: number;
  instances: number;
  latency: number[] | null;
}

/** Traffic of each of the versions in a role, in their order, by one SQL statement for all. */
export async function trafficOf(
  deps: Pick<Deps, 'prisma'>,
  modelVersionIds: readonly string[],
  window: Window,
  role: VariantRole,
): Promise<Traffic[]> {
  const rows = await deps.prisma.$queryRaw<Sums[]>`
    WITH minutes AS (
      SELECT "modelVersionId", requests, errors, instances, latency FROM "TrafficRollup"
      WHERE "modelVersionId" = ANY(${modelVersionIds}::uuid[]) AND minute >= ${window.from} AND minute < ${window.to}
        AND role = ${role}::"VariantRole"
    ), bins AS (
      SELECT "modelVersionId", bin, sum(count) AS count
      FROM minutes, unnest(latency) WITH ORDINALITY AS u(count, bin) GROUP BY "modelVersionId", bin
    )
    SELECT "modelVersionId"::text, sum(requests)::float8 AS requests, sum(errors)::float8 AS errors,
      sum(instances)::float8 AS instances,
      (SELECT array_agg(count::float8 ORDER BY bin) FROM bins
       WHERE bins."modelVersionId" = minutes."modelVersionId") AS latency
    FROM minutes GROUP BY "modelVersionId"`;
  const byVersion = new Map(rows.map((row) => [row.modelVersionId, row]));
  return modelVersionIds.map((id) => {
    const { requests, errors, instances, latency } = byVersion.get(id) ?? NOTHING;
    const milliseconds = (q: number) => {
      const microseconds = quantile(latency ?? [], q);
      return microseconds === null ? null : microseconds / 1000;
    };
    return {
      window,
      requests,
      errors,
      instances,
      errorRate: requests === 0 ? null : errors / requests,
      latency: { p50: milliseconds(0.5), p95: milliseconds(0.95), p99: milliseconds(0.99) },
    };
  });
}
const NOTHING = { requests: 0, errors: 0, instances: 0, latency: null };

export interface TrafficLoader {
  /** @throws BadWindow */
  load(modelVersionId: string, window: WindowInput, role: VariantRole): Promise<Traffic>;
}

/** A loader for one request: versions asked for in the same tick, window and role share one statement. */
export function trafficLoader(deps: Pick<Deps, 'prisma' | 'now'>): TrafficLoader {
  const load = batched((ids: string[], [window, role]: [WindowInput, VariantRole]) =>
    trafficOf(deps, ids, windowOf(window, deps.now()), role),
  );
  return { load: (modelVersionId, window, role) => load(modelVersionId, [window, role]) };
}
