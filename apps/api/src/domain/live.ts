/**
 * Live truth: what versions answered in a window of time, next to what feedback said was true. Every labelled
 * prediction counts once, none is sampled. Knows the tables and no GraphQL; the mathematics is in evaluation/.
 */
import type { Manifest } from '@anneal/edge/contract';
import { cellNumber, classFinder } from '@anneal/edge/preprocess';
import type { VariantRole } from '../contract.ts';
import type { Deps } from '../deps.ts';
import { Prisma } from '../generated/prisma/client.ts';
import { batched } from './batched.ts';
import { evaluateInThread, type Metrics } from './evaluation.ts';
import type { LiveJob } from './evaluation-worker.ts';
import { type Window, type WindowInput, windowOf } from './traffic.ts';

/** The predictions for instances with this value in a logged column. */
export interface Slice {
  column: string;
  value: string;
}

/** Which predictions: of which time, and of which endpoint (null = all). */
export interface LiveQuery {
  window: WindowInput;
  endpoint: string | null;
  /** SHADOW: what it said of instances that others answered; their feedback counts here. */
  role: VariantRole;
  /** Null = all. */
  slice: Slice | null;
}

/** What was answered and what was true, equal pairs together. */
export interface Pair {
  predicted: string;
  label: string;
  count: number;
}

/** A version's answers in a window. */
export interface LiveAnswers {
  window: Window;
  /** Predictions that were answered, labelled or not. */
  n: number;
  /** Of those that feedback has come for. */
  pairs: Pair[];
  /** Seconds from a prediction to the label that counts; null without labels. */
  labelDelay: { p50: number; p95: number } | null;
}

/** How well a version does, by its labelled answers. */
export interface LiveEvaluation {
  labelled: number;
  /** Labels that name no class, or no number where numbers are predicted: they count nowhere else. */
  unknownLabels: number;
  metrics(): Promise<Metrics>;
}

interface Row {
  version: string;
  n: number;
  predicted: string[] | null;
  labels: string[] | null;
  counts: number[] | null;
  delays: number[] | null;
}

/** Predictions that were answered: from the roll-ups; for a slice by counting events. */
function answeredSql(versions: readonly string[], { window, role, slice }: Asked): Prisma.Sql {
  const { from, to } = window;
  if (!slice)
    return Prisma.sql`
      SELECT "modelVersionId" AS version, sum(predictions)::float8 AS n FROM "TrafficRollup"
      WHERE "modelVersionId" = ANY(${versions}::uuid[]) AND minute >= ${from} AND minute < ${to}
        AND role = ${role}::"VariantRole" AND "endpointId" IN (SELECT id FROM asked)
      GROUP BY 1`;
  return Prisma.sql`
    SELECT event."modelVersionId" AS version, count(*)::float8 AS n
    FROM "PredictionEvent" event CROSS JOIN LATERAL jsonb_array_elements(event.slices) AS of(slices)
    WHERE event."modelVersionId" = ANY(${versions}::uuid[]) AND event."time" >= ${from} AND event."time" < ${to}
      AND event.role = ${role}::"VariantRole" AND event."endpointId" IN (SELECT id FROM asked)
      AND event.status = 'OK' AND of.slices ->> ${slice.column} = ${slice.value}
    GROUP BY 1`;
}

type Asked = Omit<LiveQuery, 'window'> & { window: Window };

/** The answers of each of the versions, in their order, by one SQL statement for all. */
async function readAnswers(
  { prisma }: Pick<Deps, 'prisma'>,
  versions: readonly string[],
  asked: Asked,
): Promise<LiveAnswers[]> {
  const { window, endpoint, role, slice } = asked;
  const { from, to } = window;
  const inSlice = slice
    ? Prisma.sql`AND event.slices -> told.index::int ->> ${slice.column} = ${slice.value}`
    : Prisma.empty;
  const rows = await prisma.$queryRaw<Row[]>`
    WITH asked AS (
      SELECT id FROM "Endpoint" WHERE ${endpoint}::text IS NULL OR name = ${endpoint}
    ), answered AS (${answeredSql(versions, asked)}
    ), labelled AS (
      SELECT event."modelVersionId" AS version, coalesce(answer ->> 'label', answer ->> 'value') AS predicted,
        told.label, extract(epoch FROM told."time" - event."time")::float8 AS delay
      FROM "PredictionEvent" event
      JOIN "Feedback" told
        ON told."eventId" = coalesce(event."shadowOf", event.id) AND told."endpointId" = event."endpointId"
      CROSS JOIN LATERAL (SELECT event.predictions -> told.index::int) AS its(answer)
      WHERE event."modelVersionId" = ANY(${versions}::uuid[]) AND event."time" >= ${from} AND event."time" < ${to}
        AND event.role = ${role}::"VariantRole" AND event."endpointId" IN (SELECT id FROM asked)
        AND answer IS NOT NULL ${inSlice}
    ), pairs AS (
      SELECT version, predicted, label, count(*)::float8 AS count FROM labelled GROUP BY 1, 2, 3
    ), lists AS (
      SELECT version, array_agg(predicted ORDER BY predicted, label) AS predicted,
        array_agg(label ORDER BY predicted, label) AS labels, array_agg(count ORDER BY predicted, label) AS counts
      FROM pairs GROUP BY 1
    ), delays AS (
      SELECT version, percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY delay) AS delays FROM labelled GROUP BY 1
    )
    SELECT version::text, n, predicted, labels, counts, delays
    FROM answered LEFT JOIN lists USING (version) LEFT JOIN delays USING (version)`;
  const byVersion = new Map(rows.map((row) => [row.version, row]));
  return versions.map((id) => {
    const { n = 0, predicted, labels, counts, delays } = byVersion.get(id) ?? {};
    const pairs = (predicted ?? []).map((text, i) => ({
      predicted: text,
      label: labels?.[i] ?? '',
      count: counts?.[i] ?? 0,
    }));
    const [p50, p95] = delays ?? [];
    return { window, n, pairs, labelDelay: p50 === undefined || p95 === undefined ? null : { p50, p95 } };
  });
}

/** Answers and truths as numbers: indices into the classes, or values. */
export interface Judged {
  pairs: { predicted: number; truth: number; count: number }[];
  labelled: number;
  unknownLabels: number;
}

/** Reads labels by the classes of a version's manifest, never by those that happen to have come. */
export function judge(pairs: readonly Pair[], { classes }: Pick<Manifest, 'classes'>): Judged {
  const read = classes ? classFinder(classes) : (label: string) => cellNumber(label.trim()) ?? Number.NaN;
  const known = (value: number) => (classes ? value >= 0 : Number.isFinite(value));
  const judged: Judged = { pairs: [], labelled: 0, unknownLabels: 0 };
  for (const { predicted, label, count } of pairs) {
    const truth = read(label);
    if (known(truth)) {
      judged.pairs.push({ predicted: classes ? classes.indexOf(predicted) : Number(predicted), truth, count });
      judged.labelled += count;
    } else judged.unknownLabels += count;
  }
  return judged;
}

/** The metrics of a version's answers. */
export function evaluateLive(
  deps: Pick<Deps, 'blobs'>,
  answers: LiveAnswers,
  manifest: Pick<Manifest, 'classes' | 'positiveClass' | 'threshold'>,
): LiveEvaluation {
  const { classes } = manifest;
  const { pairs, labelled, unknownLabels } = judge(answers.pairs, manifest);
  const columns = (key: 'predicted' | 'truth') => {
    const column = new Float64Array(labelled);
    let at = 0;
    for (const pair of pairs) {
      column.fill(pair[key], at, at + pair.count);
      at += pair.count;
    }
    return column;
  };
  let metrics: Promise<Metrics> | undefined;
  return {
    labelled,
    unknownLabels,
    metrics() {
      metrics ??= evaluateInThread(deps, {
        kind: classes ? 'CLASSES' : 'VALUES',
        classes: classes ?? [],
        positiveClass: manifest.positiveClass,
        threshold: manifest.threshold,
        truth: columns('truth'),
        predicted: columns('predicted'),
      } satisfies LiveJob);
      return metrics;
    },
  };
}

export interface LiveLoader {
  /** @throws BadWindow */
  load(modelVersionId: string, query: LiveQuery): Promise<LiveAnswers>;
}

/** A loader for one request: versions asked for in the same tick and by the same query share one statement. */
export function liveLoader(deps: Pick<Deps, 'prisma' | 'now'>): LiveLoader {
  const load = batched((versions: string[], { window, ...query }: LiveQuery) =>
    readAnswers(deps, versions, { window: windowOf(window, deps.now()), ...query }),
  );
  return { load };
}
