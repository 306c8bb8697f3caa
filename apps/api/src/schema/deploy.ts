/** What changes an endpoint: deploy, undeploy, roll back, settings. */
import { builder } from '../builder.ts';
import { projectOf } from '../context.ts';
import { DeployInput, deploy, UndeployInput, undeploy } from '../domain/deploy.ts';
import { RollBackInput, rollBack } from '../domain/rollback.ts';
import { UpdateEndpointSettingsInput, updateEndpointSettings } from '../domain/update-settings.ts';
import { EventDeliveryEnum } from './endpoint.ts';
import { SettingsInput } from './endpoint-settings.ts';
import { payloadMutation } from './mutation.ts';
import { servedEndpoint } from './served-endpoint.ts';

const VariantInput = builder.inputType('VariantInput', {
  description: "A version's share of the requests.",
  fields: (t) => ({
    modelVersionId: t.id({ required: true, description: 'The version, of the own project.' }),
    weight: t.float({ description: 'Above 0; 1 when omitted. The share is weight / sum of all weights.' }),
  }),
});

const ShadowInput = builder.inputType('ShadowInput', {
  description: 'A version that is run after the answers, and compared.',
  fields: (t) => ({
    modelVersionId: t.id({ required: true, description: 'The version, of the own project; none of the variants.' }),
    share: t.float({ description: 'Share of all requests, above 0 and at most 1; 1 when omitted.' }),
  }),
});

payloadMutation('deploy', {
  description:
    'Points an endpoint, new or not, to versions, and returns when the edge serves them (10 s at most). ' +
    'EDGE_UNREACHABLE: the revision is stored and the API keeps pushing it. NAME_TAKEN: another project has the name.',
  scope: 'write',
  input: (t) => ({
    endpoint: t.string({
      required: true,
      description: 'The name: 1-63 of a-z, 0-9 and -, unique in the installation.',
    }),
    variants: t.field({
      type: [VariantInput],
      required: true,
      description: '1 to 10 versions that answer the same question.',
    }),
    shadow: t.field({
      type: [ShadowInput],
      description: 'At most 5 versions that are run after the answers, and compared; none when omitted.',
    }),
    events: t.field({
      type: EventDeliveryEnum,
      description: 'When the events of its predictions are kept; as before when omitted, BUFFERED at first.',
    }),
    settings: t.field({
      type: SettingsInput,
      description: 'Changes to what the endpoint does beside predicting; as before when omitted.',
    }),
    idempotencyKey: t.string({ description: 'Repeats with the same key answer for the same deploy.' }),
  }),
  validate: DeployInput,
  resolve: (input, ctx) => deploy(ctx, projectOf(ctx.caller), input),
  payload: servedEndpoint('The endpoint as it is served now.'),
});

payloadMutation('undeploy', {
  description:
    'Takes an endpoint off the edge: a revision without variants. Returns when the edge has acknowledged it.',
  scope: 'write',
  input: (t) => ({ endpoint: t.string({ required: true, description: 'Its name.' }) }),
  validate: UndeployInput,
  resolve: (input, ctx) => undeploy(ctx, projectOf(ctx.caller), input),
  payload: servedEndpoint('The endpoint, without variants.'),
});

payloadMutation('rollBack', {
  description:
    'Serves again what an earlier revision served: its variants and shadows; keys, settings and delivery stay as ' +
    'they are. A new revision, which returns as deploy does. NOT_DEPLOYED: nothing was served then. ' +
    'NOTHING_TO_ROLL_BACK: no earlier revision served anything else.',
  scope: 'write',
  input: (t) => ({
    endpoint: t.string({ required: true, description: 'Its name.' }),
    revision: t.int({
      description: 'Number of the earlier revision; when omitted, the newest with other variants than now.',
    }),
    idempotencyKey: t.string({ description: 'Repeats with the same key answer for the same roll back.' }),
  }),
  validate: RollBackInput,
  resolve: (input, ctx) => rollBack(ctx, projectOf(ctx.caller), input),
  payload: servedEndpoint('The endpoint as it is served now.'),
});

payloadMutation('updateEndpointSettings', {
  description:
    'Changes what an endpoint does beside predicting: a revision with the same variants. Returns as deploy does. ' +
    'UNKNOWN_COLUMN: a column to be logged is none of every version.',
  scope: 'write',
  input: (t) => ({
    endpoint: t.string({ required: true, description: 'Its name.' }),
    settings: t.field({ type: SettingsInput, required: true, description: 'What changes.' }),
    events: t.field({
      type: EventDeliveryEnum,
      description: 'When the events of its predictions are kept; as before when omitted.',
    }),
  }),
  validate: UpdateEndpointSettingsInput,
  resolve: (input, ctx) => updateEndpointSettings(ctx, projectOf(ctx.caller), input),
  payload: servedEndpoint('The endpoint with its settings.'),
});
