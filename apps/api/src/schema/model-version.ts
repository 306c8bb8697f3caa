/** ModelVersion: an immutable artifact with its manifest, its evaluations and its traffic. */
import { builder } from '../builder.ts';
import { projectOf } from '../context.ts';
import { Parity } from '../contract.ts';
import { lookupId, uuidOrNil } from '../domain/ids.ts';
import { rowManifest } from '../domain/row-manifest.ts';
import { TaskEnum, VariantRoleEnum } from './enums.ts';
import { EvaluationSourceEnum, EvaluationType, evaluationOf, liveEvaluationOf, SliceInput } from './evaluation.ts';
import { TrafficType, TrafficWindowInput, trafficIn } from './traffic.ts';

/** How long a URL of an artifact's bytes works. */
const ARTIFACT_URL_MS = 15 * 60_000;

const ParityType = builder.objectRef<Parity>('Parity').implement({
  description:
    'How the engine that trained and the runtime of the edge compare on the held-out rows; publication demands that ' +
    'they agree.',
  fields: (t) => ({
    engine: t.exposeString('engine', { description: 'The engine that trained.' }),
    rows: t.exposeInt('rows', { description: 'Rows that both predicted.' }),
    maxAbsDiff: t.exposeFloat('maxAbsDiff', { description: 'Largest absolute difference between their outputs.' }),
    tolerance: t.exposeFloat('tolerance', { description: 'Allowed: |a - b| <= tolerance + tolerance |b|.' }),
    labelAgreement: t.exposeFloat('labelAgreement', {
      nullable: true,
      description: 'Share of rows with the same label; null for REGRESSION.',
    }),
  }),
});

builder.prismaObject('Artifact', {
  description: 'The bytes of a version: an ONNX graph that takes raw columns, or tensors.',
  select: { digest: true },
  fields: (t) => ({
    digest: t.exposeString('digest', { description: 'sha256 of the bytes, hex.' }),
    byteLength: t.expose('byteLength', { type: 'BigInt', description: 'Size in bytes.' }),
    url: t.string({
      description: 'Where a GET without a key answers the bytes, for 15 minutes from now.',
      resolve: ({ digest }, _args, ctx) =>
        ctx.signer.sign({
          method: 'GET',
          path: `/blobs/${digest}`,
          expiresAt: new Date(ctx.now().getTime() + ARTIFACT_URL_MS),
        }),
    }),
  }),
});

const ModelVersionType = builder.prismaNode('ModelVersion', {
  description: 'An immutable artifact with its manifest and evaluations: trained here, or imported.',
  id: { field: 'id', description: 'Global id.' },
  nullable: true,
  findUnique: (id, ctx) => ({ id: uuidOrNil(id), model: { projectId: projectOf(ctx.caller) } }),
  select: { id: true },
  fields: (t) => ({
    number: t.exposeInt('number', { description: 'Rises by one per version of the model.' }),
    digest: t.exposeString('artifactDigest', { description: "sha256 of the artifact's bytes, hex." }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was published.' }),
    task: t.field({
      type: TaskEnum,
      nullable: true,
      description: 'What it predicts; null for an import that takes and gives plain tensors.',
      select: { manifest: true },
      resolve: ({ manifest }) => rowManifest(manifest)?.task,
    }),
    classes: t.stringList({
      nullable: true,
      description: 'The labels that it can answer, in the order of its probabilities; null for REGRESSION and tensors.',
      select: { manifest: true },
      resolve: ({ manifest }) => rowManifest(manifest)?.classes,
    }),
    threshold: t.float({
      nullable: true,
      description: 'BINARY: the positive class is answered from this probability on. Else null: the largest wins.',
      select: { manifest: true },
      resolve: ({ manifest }) => rowManifest(manifest)?.threshold,
    }),
    manifest: t.expose('manifest', {
      type: 'JSON',
      description: 'What the edge needs beside the artifact: columns, classes, threshold, inputs.',
    }),
    parity: t.field({
      type: ParityType,
      nullable: true,
      description: 'How training engine and edge compare; null for an import, which nothing here trained.',
      select: { parity: true },
      resolve: ({ parity }) => Parity.nullable().parse(parity),
    }),
    artifact: t.relation('artifact', { description: 'Its bytes.' }),
    run: t.relation('run', { description: 'The run that made it.' }),
    model: t.relation('model', { description: 'The model that it is a version of.' }),
  }),
});

builder.prismaObjectFields(ModelVersionType, (t) => ({
  evaluation: t.field({
    type: EvaluationType,
    nullable: true,
    complexity: 20, // computed from all held-out rows when it is asked for first
    description:
      'HOLDOUT: its newest evaluation; null where there is none. LIVE: what it answered in the window, each labelled ' +
      'prediction once. SHADOW: what it said there as a shadow. Null for a version of plain tensors. A threshold ' +
      'outside [0, 1], of a version that is not BINARY or not of HOLDOUT is an error with the code BAD_THRESHOLD; a ' +
      'window that cannot be read is BAD_WINDOW.',
    args: {
      source: t.arg({
        type: EvaluationSourceEnum,
        required: true,
        defaultValue: 'HOLDOUT',
        description: 'Which predictions are judged.',
      }),
      threshold: t.arg.float({
        description: "HOLDOUT of BINARY: count at this threshold; the manifest's when omitted.",
      }),
      window: t.arg({
        type: TrafficWindowInput,
        description: 'LIVE, SHADOW: the time of the predictions, by whole minutes; the last 24 hours when omitted.',
      }),
      endpoint: t.arg.string({
        description: 'LIVE, SHADOW: the predictions at this endpoint; at all of them when omitted.',
      }),
      slice: t.arg({ type: SliceInput, description: 'LIVE, SHADOW: only predictions for these instances.' }),
    },
    select: ({ source }) => ({
      id: true,
      manifest: true,
      // LIVE and SHADOW are computed from events, not stored.
      evaluations: { where: { source: 'HOLDOUT' }, orderBy: { id: 'desc' }, take: source === 'HOLDOUT' ? 1 : 0 },
    }),
    resolve: (row, { source, threshold, window, endpoint, slice }, ctx) => {
      const manifest = rowManifest(row.manifest);
      if (!manifest) return null; // tensors have no labels to be judged by
      if (source === 'HOLDOUT') return evaluationOf(ctx, { manifest, row: row.evaluations[0], threshold });
      const role = source === 'SHADOW' ? ('SHADOW' as const) : ('PRIMARY' as const);
      const query = { window, endpoint: endpoint ?? null, role, slice: slice ?? null };
      return liveEvaluationOf(ctx, { id: row.id, manifest, threshold, query });
    },
  }),
}));

builder.prismaObjectFields(ModelVersionType, (t) => ({
  traffic: t.field({
    type: TrafficType,
    complexity: 5,
    description:
      'What the edge was asked of it, all endpoints together, counted by whole minutes: a minute that the window ' +
      'touches counts. A window that cannot be read is an error with the code BAD_WINDOW.',
    args: {
      window: t.arg({ type: TrafficWindowInput, description: 'The last 24 hours when omitted.' }),
      role: t.arg({
        type: VariantRoleEnum,
        required: true,
        defaultValue: 'PRIMARY',
        description: 'Requests that it answered, or that it was run behind.',
      }),
    },
    resolve: ({ id }, { window, role }, ctx) => trafficIn(ctx, id, { window, role }),
  }),
}));

builder.queryField('modelVersion', (t) =>
  t.prismaField({
    type: 'ModelVersion',
    nullable: true,
    description: 'A version by its id; null where the project has none such.',
    authScopes: { scope: 'read' },
    args: { id: t.arg.id({ required: true, description: 'Global id of the version.' }) },
    resolve: (query, _root, { id }, ctx) =>
      ctx.prisma.modelVersion.findFirst({
        ...query,
        where: { id: lookupId('ModelVersion', id), model: { projectId: projectOf(ctx.caller) } },
      }),
  }),
);
