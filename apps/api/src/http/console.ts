/** The static door of the console: serves the built GraphiQL under /graphiql/. Knows no GraphQL and no session. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';

const CONTENT_TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ttf': 'font/ttf',
  '.woff': 'font/woff',
  '.woff2': 'font/woff2',
};

/** One flat name: no separator and no leading dot, so that no request can leave the assets folder. */
const ASSET_NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;

/**
 * Forbids every other origin: the page may load, call and be framed by nothing but its own server.
 * Monaco puts style elements into the page and may start workers from blobs; scripts come from files only.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "worker-src 'self' blob:",
  "connect-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Headers of every page of the console; `no-referrer` keeps the token of a console link out of later requests. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};

const NOT_BUILT = `The console is not built: there is no index.html in its folder.
Build it with "npm run build" in the checkout and load this page again; the API itself is not affected.
`;

/**
 * Serves the console from the folder that `vite build` filled: / and /graphiql lead to /graphiql/.
 * Answers undefined for every path that is not the console's.
 */
export function createConsole(options: { folder: string }): (request: Request) => Promise<Response | undefined> {
  return async (request) => {
    const { pathname, search } = new URL(request.url);
    if (pathname !== '/' && pathname !== '/graphiql' && !pathname.startsWith('/graphiql/')) return undefined;
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return text(405, `${request.method} ${pathname}: the console only answers GET.\n`, { allow: 'GET, HEAD' });
    }
    const response =
      pathname === '/' || pathname === '/graphiql'
        ? new Response(null, { status: 302, headers: { location: `/graphiql/${search}`, 'cache-control': 'no-cache' } })
        : await page(options.folder, pathname.slice('/graphiql/'.length));
    return request.method === 'HEAD' ? new Response(null, response) : response;
  };
}

async function page(folder: string, name: string): Promise<Response> {
  if (name === '' || name === 'index.html') {
    const html = await bytesOf(path.join(folder, 'index.html'));
    return html ? file(html, 'index.html', 'no-cache') : text(503, NOT_BUILT);
  }
  const asset = name.startsWith('assets/') ? name.slice('assets/'.length) : '';
  const bytes = ASSET_NAME.test(asset) ? await bytesOf(path.join(folder, 'assets', asset)) : undefined;
  if (!bytes) return text(404, 'The console has no such file. It may have been rebuilt: load /graphiql/ again.\n');
  // Vite puts a hash of the content into every name under assets/, so a name never changes its bytes.
  return file(bytes, asset, 'public, max-age=31536000, immutable');
}

async function bytesOf(location: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return new Uint8Array(await readFile(location));
  } catch (error) {
    if (error instanceof Error && 'code' in error && ['ENOENT', 'ENOTDIR', 'EISDIR'].includes(String(error.code))) {
      return undefined;
    }
    throw error;
  }
}

function file(bytes: Uint8Array<ArrayBuffer>, name: string, caching: string): Response {
  return new Response(bytes, {
    headers: {
      ...PAGE_HEADERS,
      'content-type': CONTENT_TYPES[path.extname(name)] ?? 'application/octet-stream',
      'content-length': String(bytes.byteLength),
      'cache-control': caching,
    },
  });
}

function text(status: number, message: string, headers: Record<string, string> = {}): Response {
  return new Response(message, {
    status,
    headers: { ...PAGE_HEADERS, ...headers, 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' },
  });
}
