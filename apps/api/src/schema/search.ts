/** Searches: what createExperiment may say of one, and its trials, which are runs seen from their search. */
import { builder } from '../builder.ts';

const SearchMethodEnum = builder.enumType('SearchMethod', {
  description: 'How a search chooses its trials.',
  values: {
    GRID: { description: 'Every combination of the listed values.' },
    RANDOM: { description: 'Independent draws from values and ranges; all are trained to the end.' },
    ASHA: {
      description:
        'Draws as RANDOM, but trials are compared at rungs (minEpochs times powers of reductionFactor), and only ' +
        'the best 1/reductionFactor of those that came there go on; the others end CANCELED, STOPPED_EARLY.',
    },
  } as const,
});

const SearchScaleEnum = builder.enumType('SearchScale', {
  description: 'How a range is drawn from.',
  values: {
    LINEAR: { description: 'Every value as likely as any other.' },
    LOG: { description: 'Every factor as likely as any other: for learning rates, widths, decays.' },
  } as const,
});

const SearchParameterInput = builder.inputType('SearchParameterInput', {
  description: 'One searched parameter: values, or a range of min and max.',
  fields: (t) => ({
    name: t.string({
      required: true,
      description:
        'Its path in this very input, e.g. "hyperparameters.learningRate", "architecture.mlp.hidden", "architecture".',
    }),
    values: t.field({ type: ['JSON'], description: 'What it may be, e.g. [[64], [128, 64]]; at most 1,000 values.' }),
    min: t.float({ description: 'The least of a range.' }),
    max: t.float({ description: 'The largest of a range.' }),
    scale: t.field({ type: SearchScaleEnum, description: 'LINEAR when omitted.' }),
    integer: t.boolean({ description: 'Whole numbers only, both ends included; false when omitted.' }),
  }),
});

/** The field `search` of createExperiment's input. */
export const SearchInputType = builder.inputType('SearchInput', {
  description: 'Many runs instead of one, each with its own parameters and seed, judged on VALIDATION.',
  fields: (t) => ({
    method: t.field({ type: SearchMethodEnum, required: true, description: 'How trials are chosen.' }),
    trials: t.int({ description: 'RANDOM and ASHA: how many, 1-1,000. GRID: as many as there are combinations.' }),
    seed: t.int({ description: 'Decides the draws; 0 when omitted.' }),
    parameters: t.field({ type: [SearchParameterInput], required: true, description: 'What is searched, 1-20.' }),
    reductionFactor: t.int({ description: 'ASHA: one trial in so many goes on from a rung, 2-16; 3 when omitted.' }),
    minEpochs: t.int({ description: 'ASHA: epochs before the first rung; such that there are 3 rungs when omitted.' }),
  }),
});

/** A run as its search sees it. */
export const TrialType = builder.prismaObject('Run', {
  variant: 'Trial',
  description: 'One try of a search.',
  select: { id: true },
  fields: (t) => ({
    number: t.int({
      description: 'Its number in the search, from 1.',
      select: { trial: true },
      resolve: ({ trial }) => trial ?? 1,
    }),
    run: t.variant('Run', { description: 'The run that tries it.' }),
    params: t.field({
      type: 'JSON',
      description: 'What the search chose: { "hyperparameters.learningRate": 0.003 }.',
      select: { params: true },
      resolve: ({ params }) => params ?? {},
    }),
    score: t.exposeFloat('score', {
      nullable: true,
      description: "The experiment's objective on VALIDATION at its best so far; null while there is none.",
    }),
    rank: t.int({
      nullable: true,
      description: 'Its place by score, 1 = best; null without a score, and for runs that failed or were canceled.',
      complexity: 2,
      select: { id: true, experimentId: true },
      resolve: ({ id, experimentId }, _args, ctx) =>
        experimentId ? ctx.loaders.trialRanks.load(experimentId, id) : null,
    }),
  }),
});

builder.prismaObjectFields('Run', (t) => ({
  score: t.exposeFloat('score', {
    nullable: true,
    description: "The experiment's objective on VALIDATION at its best so far; null while there is none.",
  }),
  trial: t.exposeInt('trial', { nullable: true, description: 'Its number in a search, from 1; null without one.' }),
  params: t.field({
    type: 'JSON',
    nullable: true,
    description: 'What its search chose for it; null without one.',
    select: { params: true },
    resolve: ({ params }) => params,
  }),
}));
