/** Upload: how files get in beside GraphQL. */
import { builder } from '../builder.ts';
import { type StagedUpload, StageUploadInput, stageUpload } from '../domain/upload.ts';
import { payloadMutation } from './mutation.ts';

const HttpHeader = builder.objectRef<StagedUpload['headers'][number]>('HttpHeader').implement({
  description: 'A header to send.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name.' }),
    value: t.exposeString('value', { description: 'Its value.' }),
  }),
});

const UploadTarget = builder.objectRef<StagedUpload>('UploadTarget').implement({
  description: 'Where to send a file. The URL is signed and needs no key; the token is useless without a key.',
  fields: (t) => ({
    url: t.exposeString('url', { description: 'Send the bytes here.' }),
    method: t.exposeString('method', { description: 'By this HTTP method: PUT.' }),
    headers: t.field({
      type: [HttpHeader],
      description: 'With these headers.',
      resolve: ({ headers }) => headers,
    }),
    token: t.exposeString('token', { description: 'Names the file in later mutations.' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'Until when the URL works.' }),
  }),
});

payloadMutation('stageUpload', {
  description: 'Announces a file: send its bytes to `upload.url`, then name it by `upload.token`.',
  scope: ['write', 'train'],
  input: (t) => ({
    filename: t.string({ required: true, description: 'Its name, for people; no path.' }),
    byteLength: t.field({ type: 'BigInt', required: true, description: 'Its exact size: 1 byte to 2 GiB.' }),
    mediaType: t.string({ description: 'Its media type, e.g. text/csv.' }),
    runId: t.id({ description: 'For trainers: the run that made the file. Its project owns the upload.' }),
  }),
  validate: StageUploadInput,
  resolve: async (input, ctx) => ({ upload: await stageUpload(ctx, ctx.caller, input) }),
  payload: (t) => ({
    upload: t.field({
      type: UploadTarget,
      nullable: true,
      description: 'Where to send the bytes.',
      resolve: ({ upload }) => upload,
    }),
  }),
});
