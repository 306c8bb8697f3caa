/**
 * What both versions of a guardrail did since it began, counted from the events, every one of them anew: events and
 * labels may come late and labels may change. Knows the tables; what follows is in guardrail-verdict.ts.
 */
import { Manifest } from '@anneal/edge/contract';
import type { VariantRole } from '../contract.ts';
import type { Arm } from '../evaluation/sequential.ts';
import { Prisma } from '../generated/prisma/client.ts';
import type { GuardrailMetric, MetricCounts } from './guardrail-verdict.ts';
import { judge, type Pair } from './live.ts';

/** A metric that a guardrail watches. */
export interface WatchedMetric {
  metric: GuardrailMetric;
  margin: number;
  /** LATENCY: a request that takes longer is slow. */
  thresholdMs: number | null;
  /** QUALITY of a REGRESSION: a prediction that is farther from the truth is wrong. */
  tolerance: number | null;
}

/** The database, or a transaction in it. */
interface Counting {
  prisma: Pick<Prisma.TransactionClient, '$queryRaw' | 'modelVersion'>;
}

/** Whose events are counted. */
export interface Watched {
  endpointId: string;
  baselineId: string;
  challengerId: string;
  /** The challenger's. */
  role: VariantRole;
  since: Date;
  metrics: readonly WatchedMetric[];
}

/**
 * Events of both arms, each with its period: the proportion of their weights then. A proportion that changes with the
 * hour, as a ramp's does, would make the hours look like the versions; so would requests that named a version. A shadow
 * is compared on the requests that it was run behind, and only those.
 */
function armsSql({ endpointId, baselineId, challengerId, role, since }: Watched): Prisma.Sql {
  const [endpoint, baseline, challenger] = [
    Prisma.sql`${endpointId}::uuid`,
    Prisma.sql`${baselineId}::uuid`,
    Prisma.sql`${challengerId}::uuid`,
  ];
  if (role === 'PRIMARY')
    return Prisma.sql`
      SELECT event."modelVersionId" = ${challenger} AS challenger, period.proportion::text AS period,
        event.id AS answer, event."endpointId", status, "durationUs", predictions
      FROM "PredictionEvent" event
      JOIN (
        SELECT served.number, a.weight / b.weight AS proportion FROM "EndpointRevision" served
        JOIN "Variant" a ON a."revisionId" = served.id AND a."modelVersionId" = ${challenger} AND a.role = 'PRIMARY'
        JOIN "Variant" b ON b."revisionId" = served.id AND b."modelVersionId" = ${baseline} AND b.role = 'PRIMARY'
        WHERE served."endpointId" = ${endpoint}
      ) AS period ON period.number = event.revision
      WHERE event."modelVersionId" IN (${baseline}, ${challenger}) AND event."endpointId" = ${endpoint}
        AND event."time" >= ${since} AND event.role = 'PRIMARY' AND event."selectedBy" <> 'VERSION'`;
  return Prisma.sql`
    SELECT arm.challenger, '' AS period, answer.id AS answer, answer."endpointId",
      CASE WHEN arm.challenger THEN shadow.status ELSE answer.status END AS status,
      CASE WHEN arm.challenger THEN shadow."durationUs" ELSE answer."durationUs" END AS "durationUs",
      CASE WHEN arm.challenger THEN shadow.predictions ELSE answer.predictions END AS predictions
    FROM "PredictionEvent" shadow
    JOIN "PredictionEvent" answer ON answer.id = shadow."shadowOf" AND answer."endpointId" = shadow."endpointId"
    CROSS JOIN (VALUES (false), (true)) AS arm(challenger)
    WHERE shadow."modelVersionId" = ${challenger} AND shadow."endpointId" = ${endpoint} AND shadow."time" >= ${since}
      AND shadow.role = 'SHADOW' AND answer."modelVersionId" = ${baseline} AND answer."selectedBy" <> 'VERSION'`;
}

interface RequestCounts {
  challenger: boolean;
  period: string;
  requests: number;
  errors: number;
  slow: number;
}

/** The counts of each metric, in order. */
export async function countMetrics(deps: Counting, watched: Watched): Promise<MetricCounts[]> {
  const { metrics } = watched;
  const threshold = metrics.find(({ metric }) => metric === 'LATENCY')?.thresholdMs ?? null;
  const counted = await deps.prisma.$queryRaw<RequestCounts[]>`
    SELECT challenger, period, count(*)::float8 AS requests, (count(*) FILTER (WHERE status <> 'OK'))::float8 AS errors,
      (count(*) FILTER (WHERE status = 'OK' AND "durationUs" > ${threshold}::float8 * 1000))::float8 AS slow
    FROM (${armsSql(watched)}) AS arms GROUP BY 1, 2`;
  const quality = metrics.find(({ metric }) => metric === 'QUALITY');
  const wrong = quality ? await countWrong(deps, watched, quality.tolerance) : undefined;
  const periods = [...new Set(counted.map(({ period }) => period))];
  return metrics.map(({ metric, margin }) => {
    const arm = (challenger: boolean, period: string): Arm => {
      if (metric === 'QUALITY') return wrong?.(challenger, period) ?? NONE;
      const found = counted.find((row) => row.challenger === challenger && row.period === period);
      if (!found) return NONE;
      const { requests: n, errors, slow } = found;
      return metric === 'ERROR_RATE' ? { n, hits: errors } : { n: n - errors, hits: slow };
    };
    const both = periods.map((period) => ({ baseline: arm(false, period), challenger: arm(true, period) }));
    return { metric, margin, periods: both };
  });
}

const NONE: Arm = { n: 0, hits: 0 };

/** Labelled predictions of each arm, and how many of them were wrong, by the manifest of the version that made them. */
async function countWrong({ prisma }: Counting, watched: Watched, tolerance: number | null) {
  const { baselineId, challengerId } = watched;
  const pairs = await prisma.$queryRaw<(Pair & { challenger: boolean; period: string })[]>`
    SELECT challenger, period, coalesce(its.prediction ->> 'label', its.prediction ->> 'value') AS predicted,
      told.label, count(*)::float8 AS count
    FROM (${armsSql(watched)}) AS arms
    JOIN "Feedback" told ON told."eventId" = arms.answer AND told."endpointId" = arms."endpointId"
    CROSS JOIN LATERAL (SELECT arms.predictions -> told.index::int) AS its(prediction)
    WHERE its.prediction IS NOT NULL
    GROUP BY 1, 2, 3, 4`;
  const where = { id: { in: [baselineId, challengerId] } };
  const versions = await prisma.modelVersion.findMany({ where, select: { id: true, manifest: true } });
  return (challenger: boolean, period: string): Arm => {
    const version = versions.find(({ id }) => id === (challenger ? challengerId : baselineId));
    const manifest = Manifest.parse(version?.manifest);
    const { pairs: judged, labelled } = judge(
      pairs.filter((pair) => pair.challenger === challenger && pair.period === period),
      manifest,
    );
    const isWrong = (predicted: number, truth: number) =>
      manifest.classes ? predicted !== truth : Math.abs(predicted - truth) > (tolerance ?? 0);
    const hits = judged.reduce((sum, { predicted, truth, count }) => sum + (isWrong(predicted, truth) ? count : 0), 0);
    return { n: labelled, hits };
  };
}
