/** Traffic: what the edge was asked of a version in a window of time. */
import { GraphQLError } from 'graphql';
import { builder } from '../builder.ts';
import type { Context } from '../context.ts';
import type { VariantRole } from '../contract.ts';
import { BadWindow, type Traffic, type WindowInput } from '../domain/traffic.ts';

/** The argument of traffic. */
export const TrafficWindowInput = builder.inputType('TrafficWindow', {
  description: 'A window of time, 31 days at most: either `last`, or `from` and `to`.',
  fields: (t) => ({
    last: t.string({
      description: 'Back from now: an ISO 8601 duration (PT1H, P7D) or a number with s, m, h, d or w (15m, 24h, 7d).',
    }),
    from: t.field({ type: 'DateTime', description: 'Start, included.' }),
    to: t.field({ type: 'DateTime', description: 'End, not included; now when omitted.' }),
  }),
});

const LatencyType = builder.objectRef<Traffic['latency']>('Latency').implement({
  description:
    'Quantiles of what the edge spent on a request, milliseconds, from a log histogram: at most 5 % off. ' +
    'Null without requests.',
  fields: (t) => ({
    p50: t.exposeFloat('p50', { nullable: true, description: 'Half of the requests took at most this.' }),
    p95: t.exposeFloat('p95', { nullable: true, description: '95 % of the requests took at most this.' }),
    p99: t.exposeFloat('p99', { nullable: true, description: '99 % of the requests took at most this.' }),
  }),
});

/** What traffic answers. */
export const TrafficType = builder.objectRef<Traffic>('Traffic').implement({
  description: 'What the edge was asked, by the time of the requests. Each request is counted once.',
  fields: (t) => ({
    from: t.field({ type: 'DateTime', description: 'Start of the window, included.', resolve: (p) => p.window.from }),
    to: t.field({ type: 'DateTime', description: 'End of the window, not included.', resolve: (p) => p.window.to }),
    requests: t.field({
      type: 'BigInt',
      description: 'Predict requests, failed ones too.',
      resolve: (p) => BigInt(p.requests),
    }),
    errors: t.field({
      type: 'BigInt',
      description: 'Predict requests that were answered with an error.',
      resolve: (p) => BigInt(p.errors),
    }),
    instances: t.field({
      type: 'BigInt',
      description: 'Instances in those requests.',
      resolve: (p) => BigInt(p.instances),
    }),
    errorRate: t.exposeFloat('errorRate', { nullable: true, description: 'errors / requests; null without requests.' }),
    latency: t.expose('latency', { type: LatencyType, description: 'How long requests took at the edge.' }),
  }),
});

/** The traffic of a version; versions of one page share one statement. @throws GraphQLError BAD_WINDOW */
export async function trafficIn(
  ctx: Context,
  modelVersionId: string,
  { window, role }: { window: WindowInput; role: VariantRole },
): Promise<Traffic> {
  return await readable(() => ctx.loaders.traffic.load(modelVersionId, window, role));
}

/** Runs what reads a window; one that cannot be read is the client's mistake. @throws GraphQLError BAD_WINDOW */
export async function readable<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof BadWindow)) throw error;
    throw new GraphQLError(error.message, { extensions: { code: 'BAD_WINDOW' } });
  }
}
