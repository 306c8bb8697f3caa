/** Feedback: what was true of predictions, told through the API. */
import { builder } from '../builder.ts';
import { RecordFeedbackInput, recordFeedback } from '../domain/record-feedback.ts';
import { payloadMutation } from './mutation.ts';

const FeedbackInput = builder.inputType('FeedbackInput', {
  description: 'What was true of a prediction.',
  fields: (t) => ({
    id: t.string({ required: true, description: 'The id that the prediction came with.' }),
    label: t.string({ required: true, description: 'The class, or the number where numbers are predicted.' }),
  }),
});

payloadMutation('recordFeedback', {
  description:
    'Says what was true of predictions, as POST /v1/endpoints/{endpoint}/feedback at the edge does, for programs ' +
    'that cannot reach it. Before or after the prediction has arrived here; twice is once, and of different labels ' +
    'for one prediction the last one counts. All are taken or none.',
  scope: ['write', 'feedback'],
  input: (t) => ({
    endpoint: t.string({ required: true, description: 'Name of the endpoint that predicted.' }),
    feedback: t.field({ type: [FeedbackInput], required: true, description: '1 to 1,000 labels.' }),
  }),
  validate: RecordFeedbackInput,
  resolve: (input, ctx) => recordFeedback(ctx, ctx.caller, input),
  payload: (t) => ({
    accepted: t.int({
      nullable: true,
      description: 'Labels that were taken, new or not.',
      resolve: ({ accepted }) => accepted,
    }),
  }),
});
