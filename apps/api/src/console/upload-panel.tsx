/** The Upload panel: pick files, watch them go, copy the tokens. All state is in the uploads store. */
import { useRef, useState, useSyncExternalStore } from 'react';
import type { Upload, Uploads } from './uploads.ts';

/** Draws the uploads, newest first; the store outlives the panel, so closing it does not stop a file. */
export function UploadPanel({ uploads }: { uploads: Uploads }) {
  const list = useSyncExternalStore(uploads.subscribe, uploads.list);
  const input = useRef<HTMLInputElement>(null);
  const start = (files: FileList | null) => {
    for (const file of files ?? []) void uploads.start(file);
    if (input.current) input.current.value = '';
  };
  return (
    <section className="panel" aria-label="Upload">
      <h2>Upload</h2>
      <p>
        Pick a CSV or JSONL file, gzipped or not: it is staged and sent. Then put its token into{' '}
        <code>uploadTokens</code> of <code>commitDatasetVersion</code>.
      </p>
      <label className="panel-button">
        Choose files
        <input ref={input} type="file" multiple onChange={(event) => start(event.currentTarget.files)} />
      </label>
      <ul className="uploads">
        {list.map((upload) => (
          <UploadItem key={upload.id} upload={upload} />
        ))}
      </ul>
    </section>
  );
}

function UploadItem({ upload }: { upload: Upload }) {
  return (
    <li data-state={upload.state}>
      <div className="upload-name">
        <strong>{upload.filename}</strong> <span>{size(upload.byteLength)}</span>
      </div>
      {upload.state === 'STAGING' && <p>Staging ...</p>}
      {upload.state === 'SENDING' && (
        <progress max={upload.byteLength || 1} value={upload.sent} aria-label={`Sending ${upload.filename}`} />
      )}
      {upload.error && <p role="alert">{upload.error}</p>}
      {upload.token && <Token token={upload.token} expiresAt={upload.expiresAt} />}
    </li>
  );
}

function Token({ token, expiresAt }: { token: string; expiresAt: string | undefined }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(token);
    setCopied(true);
  };
  return (
    <>
      <div className="token">
        <input readOnly value={token} aria-label="Upload token" onFocus={(event) => event.currentTarget.select()} />
        <button type="button" className="panel-button" onClick={() => void copy()}>
          {copied ? 'Copied' : 'Copy'}
        </button>
      </div>
      {expiresAt && <p>Commit it before {new Date(expiresAt).toLocaleString()}.</p>}
    </>
  );
}

function size(bytes: number): string {
  const unit = Math.min(3, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  return `${(bytes / 1000 ** unit).toFixed(unit && 1)} ${['B', 'kB', 'MB', 'GB'][unit]}`;
}
