/** The uploads store over a transport that a test can steer, and the address that a signed URL is sent to. */
import { describe, expect, it } from 'vitest';
import { createUploads, onThisOrigin, type Upload, type UploadTransport } from './uploads.ts';

const STAGED = {
  url: 'http://127.0.0.1:4000/uploads/1?signature=x',
  method: 'PUT',
  headers: [{ name: 'content-type', value: 'text/csv' }],
  token: 'upload-token',
  expiresAt: '2026-11-24T07:00:00.000Z',
};
const CSV = new File(['a,b\n1,2\n'], 'small.csv');

function recording(transport: Partial<UploadTransport>) {
  const asked: unknown[] = [];
  const states: (readonly Upload[])[] = [];
  const uploads = createUploads({
    ask: async ({ variables }) => {
      asked.push(variables);
      return { data: { stageUpload: { upload: STAGED, userErrors: [] } } };
    },
    send: async (_staged, file, onProgress) => onProgress(file.size),
    ...transport,
  });
  uploads.subscribe(() => states.push(uploads.list()));
  return { uploads, asked, states };
}

describe('uploads', () => {
  it('stage a file, send it and keep its token', async () => {
    const { uploads, asked, states } = recording({});
    await uploads.start(CSV);
    expect(asked).toEqual([{ input: { filename: 'small.csv', byteLength: 8, mediaType: 'text/csv' } }]);
    expect(states.map(([upload]) => [upload?.state, upload?.sent])).toEqual([
      ['STAGING', 0],
      ['SENDING', 0],
      ['SENDING', 8],
      ['DONE', 8],
    ]);
    expect(uploads.list()).toMatchObject([{ token: 'upload-token', expiresAt: STAGED.expiresAt }]);
  });

  it('run side by side, newest first', async () => {
    const { uploads } = recording({});
    await Promise.all([uploads.start(CSV), uploads.start(new File(['{}'], 'rows.jsonl'))]);
    expect(uploads.list()).toMatchObject([
      { filename: 'rows.jsonl', state: 'DONE' },
      { filename: 'small.csv', state: 'DONE' },
    ]);
  });

  it('fail with the words of the API', async () => {
    const userErrors = [{ code: 'TOO_LARGE', message: 'The limit is 1 GiB.' }];
    const refused = recording({ ask: async () => ({ data: { stageUpload: { upload: null, userErrors } } }) });
    await refused.uploads.start(CSV);
    expect(refused.uploads.list()).toMatchObject([
      { state: 'FAILED', error: 'stageUpload refused small.csv: The limit is 1 GiB.' },
    ]);
    const cut = recording({ send: () => Promise.reject(new Error('cut off')) });
    await cut.uploads.start(CSV);
    expect(cut.uploads.list()).toMatchObject([{ state: 'FAILED', error: 'cut off' }]);
    expect(cut.uploads.list()[0]).not.toHaveProperty('token');
  });
});

describe('onThisOrigin', () => {
  it('calls the own server by the name that the page has', () => {
    expect(onThisOrigin(STAGED.url, 'http://localhost:4000/graphiql/')).toBe(
      'http://localhost:4000/uploads/1?signature=x',
    );
    expect(onThisOrigin(STAGED.url, 'http://[::1]:4000/graphiql/')).toBe('http://[::1]:4000/uploads/1?signature=x');
  });

  it('leaves every other server alone', () => {
    expect(onThisOrigin(STAGED.url, 'http://localhost:4001/graphiql/')).toBe(STAGED.url);
    expect(onThisOrigin('https://store.example/u', 'http://localhost:4000/')).toBe('https://store.example/u');
    expect(onThisOrigin(STAGED.url, 'https://anneal.example/graphiql/')).toBe(STAGED.url);
  });
});
