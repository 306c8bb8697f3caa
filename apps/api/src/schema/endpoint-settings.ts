/** EndpointSettings: what an endpoint does beside predicting, as it is read and as it is changed. */
import type { EndpointSettings } from '@anneal/edge/contract';
import { builder } from '../builder.ts';

const SamplingType = builder.objectRef<NonNullable<EndpointSettings['samples']>>('Sampling').implement({
  description: 'Which raw inputs are kept, and how long.',
  fields: (t) => ({
    rate: t.exposeFloat('rate', { description: 'Share of the requests whose instances are kept, 0 to 1.' }),
    retentionDays: t.exposeInt('retentionDays', { description: 'Days until they are deleted.' }),
  }),
});

const LimitsType = builder.objectRef<EndpointSettings['limits']>('EndpointLimits').implement({
  description: 'What the edge lets one request ask.',
  fields: (t) => ({
    instances: t.exposeInt('instances', { description: 'Instances in a request.' }),
    bodyBytes: t.exposeInt('bodyBytes', { nullable: true, description: 'Bytes of a body; null = 8 MiB.' }),
    textLength: t.exposeInt('textLength', { description: 'Characters of one text.' }),
    computeMs: t.exposeInt('computeMs', {
      nullable: true,
      description: 'Milliseconds of computing: batches are cut into parts and stop between them. Null = no limit.',
    }),
  }),
});

/** What endpoint.settings answers. */
export const SettingsType = builder.objectRef<EndpointSettings>('EndpointSettings').implement({
  description: 'What an endpoint does beside predicting.',
  fields: (t) => ({
    cors: t.exposeStringList('cors', { description: 'Origins whose pages may call it; "*" = all.' }),
    logged: t.exposeStringList('logged', {
      description: 'Columns whose values go with the events, so that metrics can be asked for by slice.',
    }),
    drift: t.exposeBoolean('drift', { description: 'Whether the values of columns are counted for drift.' }),
    samples: t.expose('samples', {
      type: SamplingType,
      nullable: true,
      description: 'Raw inputs are kept only where this is set.',
    }),
    limits: t.expose('limits', { type: LimitsType, description: 'What one request may ask.' }),
  }),
});

const SamplingInput = builder.inputType('SamplingInput', {
  description: 'Keeps raw inputs.',
  fields: (t) => ({
    rate: t.float({ required: true, description: 'Share of the requests whose instances are kept, 0 to 1.' }),
    retentionDays: t.int({ required: true, description: 'Days until they are deleted, 1 to 90.' }),
  }),
});

const LimitsInput = builder.inputType('EndpointLimitsInput', {
  description: 'What one request may ask: what is omitted stays, null is the default.',
  fields: (t) => ({
    instances: t.int({ description: 'Instances in a request, 1 to 1000; 1000 by default.' }),
    bodyBytes: t.int({ description: 'Bytes of a body; 8 MiB by default.' }),
    textLength: t.int({ description: 'Characters of one text, at most 1000000; 10000 by default.' }),
    computeMs: t.int({ description: 'Milliseconds of computing; no limit by default.' }),
  }),
});

/** Changes to settings, as the inputs of mutations have them. */
export const SettingsInput = builder.inputType('EndpointSettingsInput', {
  description: 'Changes to the settings of an endpoint: what is omitted stays, null is the default.',
  fields: (t) => ({
    cors: t.stringList({
      description: 'At most 20 origins such as https://app.example.com, or "*" for all; none by default.',
    }),
    logged: t.stringList({
      description: 'At most 5 columns whose values (200 characters at most) go with the events; none by default.',
    }),
    drift: t.boolean({ description: 'Whether the values of columns are counted for drift; true by default.' }),
    samples: t.field({ type: SamplingInput, description: 'Whether raw inputs are kept; not by default.' }),
    limits: t.field({ type: LimitsInput, description: 'What one request may ask.' }),
  }),
});
