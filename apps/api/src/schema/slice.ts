/** Slices: which values of a logged column a version has predicted for. */
import { builder } from '../builder.ts';
import { MAX_SLICES, type SliceCount } from '../domain/live-slices.ts';
import { VariantRoleEnum } from './enums.ts';
import { readable, TrafficWindowInput } from './traffic.ts';

const SliceType = builder.objectRef<SliceCount>('Slice').implement({
  description: 'The predictions for instances with one value in a column.',
  fields: (t) => ({
    value: t.exposeString('value', { description: 'The value as a text.' }),
    n: t.exposeInt('n', { description: 'Predictions that were made in the window.' }),
    labelled: t.exposeInt('labelled', { description: 'Of the n, those that feedback has come for.' }),
  }),
});

builder.prismaObjectFields('ModelVersion', (t) => ({
  slices: t.field({
    type: [SliceType],
    complexity: 5,
    description:
      `The values of a logged column in the window, at most ${MAX_SLICES}, those with the most predictions first; ` +
      'none where the endpoint does not log the column. A window that cannot be read is an error with the code ' +
      'BAD_WINDOW.',
    args: {
      column: t.arg.string({ required: true, description: 'The column, as in settings.logged of deploy.' }),
      window: t.arg({ type: TrafficWindowInput, description: 'The last 24 hours when omitted.' }),
      endpoint: t.arg.string({ description: 'The predictions at this endpoint; at all of them when omitted.' }),
      role: t.arg({
        type: VariantRoleEnum,
        required: true,
        defaultValue: 'PRIMARY',
        description: 'What clients got, or what it said as a shadow.',
      }),
    },
    select: { id: true },
    resolve: ({ id }, { column, window, endpoint, role }, ctx) =>
      readable(() => ctx.loaders.slices.load(id, { column, window, endpoint: endpoint ?? null, role })),
  }),
}));
