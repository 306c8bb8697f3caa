/** The versions of an endpoint: those that answer, and shadows that are run behind the answers and compared. */
import { builder } from '../builder.ts';
import type { Comparison } from '../domain/comparison.ts';
import { EstimateType } from './evaluation.ts';
import { readable, TrafficWindowInput } from './traffic.ts';

/** A version that answers. */
export const VariantType = builder.prismaObject('Variant', {
  description: "A version's share of the requests of an endpoint.",
  select: { id: true, role: true },
  fields: (t) => ({
    modelVersion: t.relation('modelVersion', { description: 'The version that answers.' }),
    weight: t.exposeFloat('weight', { description: 'Its share is weight / sum of all weights.' }),
  }),
});

const ComparisonType = builder.objectRef<Comparison>('Comparison').implement({
  description: 'What a shadow answered, next to what the clients got for the same instances.',
  fields: (t) => ({
    from: t.field({ type: 'DateTime', description: 'Start of the window, included.', resolve: (c) => c.window.from }),
    to: t.field({ type: 'DateTime', description: 'End of the window, not included.', resolve: (c) => c.window.to }),
    n: t.exposeInt('n', { description: 'Instances that both answered.' }),
    agreement: t.expose('agreement', {
      type: EstimateType,
      nullable: true,
      description: 'Share of equal labels; null where numbers are predicted, or nothing was.',
    }),
    meanAbsDiff: t.exposeFloat('meanAbsDiff', {
      nullable: true,
      description:
        'Mean absolute difference of the values; of labels, that of the scores where the labels are equal. Null of ' +
        'none.',
    }),
  }),
});

/** A version that is run after the answers. */
export const ShadowType = builder.prismaObject('Variant', {
  variant: 'Shadow',
  description: 'A version that is run after the answer, never seen by clients, and compared.',
  select: { id: true, role: true },
  fields: (t) => ({
    modelVersion: t.relation('modelVersion', { description: 'The version that is run.' }),
    share: t.exposeFloat('weight', { description: 'Share of all requests that it is run on, above 0 and at most 1.' }),
    comparison: t.field({
      type: ComparisonType,
      complexity: 20,
      description:
        'How its answers compare with those that clients got in the window, by whole minutes. A window that cannot ' +
        'be read is an error with the code BAD_WINDOW.',
      args: { window: t.arg({ type: TrafficWindowInput, description: 'The last 24 hours when omitted.' }) },
      select: { modelVersionId: true, revision: { select: { endpointId: true } } },
      resolve: ({ modelVersionId, revision: { endpointId } }, { window }, ctx) =>
        readable(() => ctx.loaders.comparison.load({ endpointId, modelVersionId }, window)),
    }),
  }),
});
