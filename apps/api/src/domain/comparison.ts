/** How a shadow's answers compare with those that clients got, by the events of both. Knows the tables, no GraphQL. */
import type { Deps } from '../deps.ts';
import { type Estimate, proportion } from '../evaluation/estimate.ts';
import { batched } from './batched.ts';
import { type Window, type WindowInput, windowOf } from './traffic.ts';

/** A shadow: a version at an endpoint. */
export interface ShadowOf {
  endpointId: string;
  modelVersionId: string;
}

/** What the two answered to the same instances in a window. */
export interface Comparison {
  window: Window;
  /** Instances that both answered. */
  n: number;
  /** Share of equal labels; null where numbers are predicted. */
  agreement: Estimate | null;
  /** Of the values, or of the scores where the labels are equal; null of none. */
  meanAbsDiff: number | null;
}

interface Row {
  shadow: string;
  n: number;
  labels: number;
  equal: number;
  difference: number | null;
}

const keyOf = ({ endpointId, modelVersionId }: ShadowOf) => `${endpointId} ${modelVersionId}`;

/** Each of the shadows compared, in their order, by one SQL statement for all. */
async function compare(
  { prisma }: Pick<Deps, 'prisma'>,
  shadows: readonly string[],
  window: Window,
): Promise<Comparison[]> {
  const [endpoints, versions] = [0, 1].map((part) => shadows.map((shadow) => shadow.split(' ')[part] ?? ''));
  const rows = await prisma.$queryRaw<Row[]>`
    WITH asked AS (
      SELECT * FROM unnest(${endpoints}::uuid[], ${versions}::uuid[]) AS pairs("endpointId", "modelVersionId")
    ), answers AS (
      SELECT asked."endpointId" || ' ' || asked."modelVersionId" AS shadow, one, other
      FROM asked
      JOIN "PredictionEvent" shadow ON shadow."modelVersionId" = asked."modelVersionId"
        AND shadow."endpointId" = asked."endpointId" AND shadow.role = 'SHADOW'
        AND shadow."time" >= ${window.from} AND shadow."time" < ${window.to}
      JOIN "PredictionEvent" answered ON answered.id = shadow."shadowOf" AND answered."endpointId" = asked."endpointId"
      CROSS JOIN LATERAL ROWS FROM (
        jsonb_array_elements(shadow.predictions), jsonb_array_elements(answered.predictions)) AS pairs(one, other)
      WHERE jsonb_typeof(shadow.predictions) = 'array' AND jsonb_typeof(answered.predictions) = 'array'
        AND jsonb_array_length(shadow.predictions) = jsonb_array_length(answered.predictions)
    )
    SELECT shadow, count(*)::float8 AS n,
      count(*) FILTER (WHERE one ? 'label')::float8 AS labels,
      count(*) FILTER (WHERE one -> 'label' = other -> 'label')::float8 AS equal,
      avg(CASE
        WHEN one ? 'value' THEN abs((one ->> 'value')::float8 - (other ->> 'value')::float8)
        WHEN one -> 'label' = other -> 'label' THEN abs((one ->> 'score')::float8 - (other ->> 'score')::float8)
      END) AS difference
    FROM answers GROUP BY shadow`;
  const byShadow = new Map(rows.map((row) => [row.shadow, row]));
  return shadows.map((shadow) => {
    const { n, labels, equal, difference } = byShadow.get(shadow) ?? NOTHING;
    return { window, n, agreement: labels > 0 ? proportion(equal, labels) : null, meanAbsDiff: difference };
  });
}
const NOTHING = { n: 0, labels: 0, equal: 0, difference: null };

export interface ComparisonLoader {
  /** @throws BadWindow */
  load(shadow: ShadowOf, window: WindowInput): Promise<Comparison>;
}

/** A loader for one request: shadows asked for in the same tick and window share one statement. */
export function comparisonLoader(deps: Pick<Deps, 'prisma' | 'now'>): ComparisonLoader {
  const load = batched((shadows: string[], window: WindowInput) =>
    compare(deps, shadows, windowOf(window, deps.now())),
  );
  return { load: (shadow, window) => load(keyOf(shadow), window) };
}
