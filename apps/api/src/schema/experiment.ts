/** Experiment: a question to the data, with the runs that answer it. */
import { builder, page } from '../builder.ts';
import { projectOf } from '../context.ts';
import { CreateExperimentInput, createExperiment } from '../domain/experiment.ts';
import { lookupId, uuidOrNil } from '../domain/ids.ts';
import { ArchitectureInput } from './architecture-input.ts';
import { ObjectiveEnum, TaskEnum } from './enums.ts';
import { BudgetInput, EngineEnum, HyperparametersInput, LossInput, PreprocessingEnum } from './experiment-input.ts';
import { payloadMutation } from './mutation.ts';
import { SearchInputType, TrialType } from './search.ts';

builder.prismaNode('Experiment', {
  description: 'A question to the data: what to predict, judged by what. Its runs are attempts to answer.',
  id: { field: 'id', description: 'Global id.' },
  nullable: true,
  findUnique: (id, ctx) => ({ id: uuidOrNil(id), projectId: projectOf(ctx.caller) }),
  select: { id: true },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'For people; need not be unique.' }),
    task: t.expose('task', { type: TaskEnum, description: 'What is predicted.' }),
    objective: t.expose('objective', { type: ObjectiveEnum, description: 'What validation is judged by.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was asked.' }),
    datasetVersion: t.relation('datasetVersion', { description: 'The data that is asked.' }),
    model: t.relation('model', { description: 'The model that answers become versions of.' }),
    runs: t.relatedConnection('runs', {
      description: 'Its runs, newest first.',
      cursor: 'id',
      totalCount: true,
      complexity: page,
      query: { orderBy: { id: 'desc' } },
    }),
    search: t.field({
      type: 'JSON',
      nullable: true,
      description: 'The search, complete: { method, trials, seed, parameters, halving }; null for a single run.',
      select: { search: true },
      resolve: ({ search }) => search,
    }),
    bestRun: t.relation('bestRun', {
      nullable: true,
      description: 'Of its runs that became a version, the one with the best objective on VALIDATION (never on TEST).',
    }),
    trials: t.relatedConnection('runs', {
      type: TrialType,
      description: 'The trials of its search by number; empty for a single run.',
      cursor: 'id',
      totalCount: true,
      complexity: page,
      query: { where: { trial: { not: null } }, orderBy: { trial: 'asc' } },
    }),
  }),
});

builder.queryFields((t) => ({
  experiments: t.prismaConnection({
    type: 'Experiment',
    description: 'The experiments of the project, newest first.',
    authScopes: { scope: 'read' },
    cursor: 'id',
    complexity: page,
    totalCount: (_root, _args, ctx) => ctx.prisma.experiment.count({ where: { projectId: projectOf(ctx.caller) } }),
    resolve: (query, _root, _args, ctx) =>
      ctx.prisma.experiment.findMany({
        ...query,
        where: { projectId: projectOf(ctx.caller) },
        orderBy: { id: 'desc' },
      }),
  }),
  experiment: t.prismaField({
    type: 'Experiment',
    nullable: true,
    description: 'An experiment by its id; null where there is none.',
    authScopes: { scope: 'read' },
    args: { id: t.arg.id({ required: true, description: 'Global id.' }) },
    resolve: (query, _root, { id }, ctx) =>
      ctx.prisma.experiment.findFirst({
        ...query,
        where: { id: lookupId('Experiment', id), projectId: projectOf(ctx.caller) },
      }),
  }),
}));

payloadMutation('createExperiment', {
  description:
    'Asks a question: creates the experiment with its run, or the trials of a search, queued. What is omitted is ' +
    'chosen sensibly.',
  scope: 'write',
  input: (t) => ({
    name: t.string({ required: true, description: 'For people, 1-200 characters.' }),
    datasetVersionId: t.id({ required: true, description: 'The data to learn from.' }),
    task: t.field({ type: TaskEnum, description: 'What to predict; follows from the target when omitted.' }),
    target: t.string({ description: 'The column to predict, as a check: it was fixed at commit.' }),
    modelName: t.string({
      description: 'The model that answers become versions of, created when new; made of the name when omitted.',
    }),
    objective: t.field({
      type: ObjectiveEnum,
      description: 'What validation is judged by; LOG_LOSS, or RMSE for regression, when omitted.',
    }),
    architecture: t.field({
      type: ArchitectureInput,
      description: 'The network. When omitted: mlp for a table, cnn for a TENSOR image, transformer for TOKENS.',
    }),
    loss: t.field({ type: LossInput, description: "How errors are counted; the task's own way when omitted." }),
    hyperparameters: t.field({ type: HyperparametersInput, description: 'How it is trained.' }),
    seed: t.int({
      description: 'Decides everything random: the same spec and seed give the same bytes. 0 when omitted.',
    }),
    engine: t.field({ type: EngineEnum, description: 'What computes the steps; AUTO when omitted.' }),
    budget: t.field({ type: BudgetInput, description: 'When to stop at the latest.' }),
    search: t.field({
      type: SearchInputType,
      description: 'Try many: what it names is set per trial, everything else here is common to all.',
    }),
    preprocessing: t.field({ type: PreprocessingEnum, description: 'What is done to columns; AUTO when omitted.' }),
    positiveClass: t.string({ description: 'BINARY: the class that the threshold decides on; the last when omitted.' }),
    threads: t.int({
      description:
        'Threads of the engine, 1-64; when omitted 1 for mlp, 2 for others. Other threads may give other bytes.',
    }),
    idempotencyKey: t.string({ description: 'The same key and input again answer with the same experiment.' }),
  }),
  validate: CreateExperimentInput,
  resolve: (input, ctx) => createExperiment(ctx, ctx.caller, input),
  payload: (t) => ({
    experiment: t.prismaField({
      type: 'Experiment',
      nullable: true,
      description: 'The new experiment.',
      resolve: (query, { experimentId }, _args, ctx) =>
        experimentId ? ctx.prisma.experiment.findUnique({ ...query, where: { id: experimentId } }) : null,
    }),
  }),
});
