/** The files on their way to the API: staged, then PUT to the signed URL. Knows no React; a panel draws it. */
import type { ExecutionResult } from 'graphql';

/** One file and how far it is. `token` is what commitDatasetVersion takes. */
export interface Upload {
  id: number;
  filename: string;
  byteLength: number;
  sent: number;
  state: 'STAGING' | 'SENDING' | 'DONE' | 'FAILED';
  token?: string;
  expiresAt?: string;
  error?: string;
}

/** All uploads since the page was opened, newest first, as an external store of React. */
export interface Uploads {
  list(): readonly Upload[];
  subscribe(listener: () => void): () => void;
  /** Stages and sends one file; resolves when it is DONE or FAILED. */
  start(file: File): Promise<void>;
}

/** The part of a staged upload that a client needs to send the bytes. */
export interface StagedUpload {
  url: string;
  method: string;
  headers: { name: string; value: string }[];
  token: string;
  expiresAt: string;
}

/** What the uploads need from outside: a way to ask the API and a way to send bytes with progress. */
export interface UploadTransport {
  ask(params: { query: string; variables: Record<string, unknown> }): Promise<ExecutionResult>;
  send(staged: StagedUpload, file: File, onProgress: (sent: number) => void): Promise<void>;
}

const STAGE_UPLOAD = `mutation StageUpload($input: StageUploadInput!) {
  stageUpload(input: $input) {
    upload { url method headers { name value } token expiresAt }
    userErrors { code field message }
  }
}`;

/** An empty list of uploads over a transport. */
export function createUploads(transport: UploadTransport): Uploads {
  const listeners = new Set<() => void>();
  let uploads: readonly Upload[] = [];
  const replace = (next: readonly Upload[]) => {
    uploads = next;
    for (const listener of listeners) listener();
  };
  return {
    list: () => uploads,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async start(file) {
      const id = uploads.length + 1;
      const change = (part: Partial<Upload>) =>
        replace(uploads.map((upload) => (upload.id === id ? { ...upload, ...part } : upload)));
      replace([{ id, filename: file.name, byteLength: file.size, sent: 0, state: 'STAGING' }, ...uploads]);
      try {
        const staged = await stage(transport, file);
        change({ state: 'SENDING' });
        await transport.send(staged, file, (sent) => change({ sent }));
        change({ state: 'DONE', sent: file.size, token: staged.token, expiresAt: staged.expiresAt });
      } catch (error) {
        change({ state: 'FAILED', error: error instanceof Error ? error.message : String(error) });
      }
    },
  };
}

async function stage(transport: UploadTransport, file: File): Promise<StagedUpload> {
  const input = { filename: file.name, byteLength: file.size, mediaType: mediaType(file) };
  const result = await transport.ask({ query: STAGE_UPLOAD, variables: { input } });
  const payload = result.data?.stageUpload as StageUploadPayload | null | undefined;
  const problems = [...(result.errors ?? []), ...(payload?.userErrors ?? [])].map(({ message }) => message);
  if (problems.length > 0) throw new Error(`stageUpload refused ${file.name}: ${problems.join(' ')}`);
  if (!payload?.upload) throw new Error(`stageUpload answered without an upload: ${JSON.stringify(result)}`);
  return payload.upload;
}

interface StageUploadPayload {
  upload: StagedUpload | null;
  userErrors: { message: string }[];
}

/** Browsers know few data formats by name; the API looks at the content anyway. */
function mediaType(file: File): string {
  if (/\.gz$/i.test(file.name)) return 'application/gzip';
  if (/\.(jsonl|ndjson)$/i.test(file.name)) return 'application/x-ndjson';
  if (/\.(csv|tsv|data|txt)$/i.test(file.name)) return 'text/csv';
  return file.type || 'application/octet-stream';
}

/**
 * Sends the bytes by XMLHttpRequest, because fetch tells no progress of an upload.
 * @throws with the server's own words when it does not answer 2xx.
 */
export function sendFile(staged: StagedUpload, file: File, onProgress: (sent: number) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(staged.method, onThisOrigin(staged.url, location.href));
    for (const { name, value } of staged.headers) {
      // The browser sets the length itself and refuses to be told.
      if (name.toLowerCase() !== 'content-length') request.setRequestHeader(name, value);
    }
    request.upload.onprogress = ({ loaded }) => onProgress(loaded);
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) return resolve();
      reject(new Error(`The upload was answered ${request.status} ${request.statusText}: ${request.responseText}`));
    };
    request.onerror = () => reject(new Error('The upload was cut off: is the API still running? Pick the file again.'));
    request.send(file);
  });
}

/**
 * The signed URL as this page may call it: 127.0.0.1, localhost and [::1] on one port are one server but three origins,
 * and the signature covers the path only.
 */
export function onThisOrigin(url: string, page: string): string {
  const [target, here] = [new URL(url, page), new URL(page)];
  const loopback = ['localhost', '127.0.0.1', '[::1]'];
  const sameServer =
    loopback.includes(target.hostname) && loopback.includes(here.hostname) && target.port === here.port;
  return sameServer ? `${here.origin}${target.pathname}${target.search}` : target.href;
}
