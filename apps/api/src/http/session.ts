/**
 * The keyless local console: a secret link is exchanged for an HttpOnly cookie, which then stands for a key.
 * Knows no database and no GraphQL: what a session may do is decided by whoever asks `authenticate`.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { PAGE_HEADERS } from './console.ts';

const IDLE_MS = 12 * 60 * 60 * 1000;
const CONSOLE_PATH = '/graphiql/';

/** Links and sessions of one API process, kept in memory only: a restart ends them all. */
export interface Sessions {
  /** A console link that works once, or (reusable) as long as this process; whoever holds it may sign in. */
  mintLink(baseUrl: string, options?: { reusable?: boolean }): string;
  /** The Set-Cookie value of a new session; undefined when the token is unknown or used up. */
  redeem(token: string): string | undefined;
  /** Whether a Cookie header names a live session; each call prolongs its idle life of 12 hours. */
  authenticate(cookieHeader: string | null | undefined): boolean;
  /** Answers GET /graphiql/?token=... by cookie and redirect, or by a page that says what to do; else undefined. */
  answerLink(request: Request): Response | undefined;
}

/**
 * Opens the register of console links and sessions. The secret only names the cookie: browsers share cookies between
 * ports, and two installations on one machine must not sign each other out.
 */
export function createSessions(options: { secret: string; now?: () => Date }): Sessions {
  const now = () => (options.now?.() ?? new Date()).getTime();
  const installation = createHmac('sha256', options.secret).update('console cookie').digest('hex').slice(0, 8);
  const cookieName = `anneal_${installation}`;
  const links = new Map<string, { reusable: boolean }>();
  const lastUses = new Map<string, number>();

  const sessions: Sessions = {
    mintLink(baseUrl, { reusable = false } = {}) {
      const token = secretToken();
      links.set(sha256(token), { reusable });
      const link = new URL(CONSOLE_PATH, baseUrl);
      link.searchParams.set('token', token);
      return link.href;
    },
    redeem(token) {
      const key = sha256(token);
      const link = links.get(key);
      if (!link) return undefined;
      if (!link.reusable) links.delete(key);
      for (const [session, lastUse] of lastUses) if (now() - lastUse > IDLE_MS) lastUses.delete(session);
      const session = secretToken();
      lastUses.set(sha256(session), now());
      return `${cookieName}=${session}; HttpOnly; SameSite=Strict; Path=/`;
    },
    authenticate(cookieHeader) {
      const key = sha256(cookieValue(cookieHeader ?? '', cookieName) ?? '');
      const lastUse = lastUses.get(key);
      if (lastUse === undefined || now() - lastUse > IDLE_MS) return false;
      lastUses.set(key, now());
      return true;
    },
    answerLink: (request) => answerLink(sessions, request),
  };
  return sessions;
}

function answerLink(sessions: Sessions, request: Request): Response | undefined {
  const url = new URL(request.url);
  const token = url.searchParams.get('token');
  // Only GET: programs that preview a link send HEAD, and that must not use it up.
  if (request.method !== 'GET' || url.pathname !== CONSOLE_PATH || token === null) return undefined;
  // A reload or a prefetch repeats the link in a browser that it has signed in: that browser may pass.
  const headers = { ...PAGE_HEADERS, location: CONSOLE_PATH, 'cache-control': 'no-store' };
  if (sessions.authenticate(request.headers.get('cookie'))) return new Response(null, { status: 303, headers });
  const cookie = sessions.redeem(token);
  if (!cookie) return refusal();
  return new Response(null, { status: 303, headers: { ...headers, 'set-cookie': cookie } });
}

function refusal(): Response {
  const body = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Anneal: link used</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.6 system-ui, sans-serif; }
  body { max-width: 36rem; margin: 15vh auto; padding: 0 1rem; }
  code { font-family: ui-monospace, monospace; }
</style>
<h1>This console link is used or expired</h1>
<p>A link works once, and only until the next start. Take the newest one:</p>
<ul>
  <li>the link that <code>npm start</code> printed last, or</li>
  <li>the value of <code>graphiql</code> in <code>stack.json</code> (in the data folder, <code>.anneal/</code>): it
    works any number of times while the stack runs.</li>
</ul>
<p>With an API key none of this is needed: open <a href="${CONSOLE_PATH}">the console</a> and enter it in the Access
  panel.</p>
</html>
`;
  const headers = { ...PAGE_HEADERS, 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' };
  return new Response(body, { status: 403, headers });
}

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'];

/**
 * Whether a Host header may be answered: a page that points its own name at 127.0.0.1 (DNS rebinding) must not read
 * the local API. Loopback names are ours on every port; a configured name may be bound to one port, "name:443".
 */
export function hostAllowed(host: string | undefined, configured: readonly string[]): boolean {
  const given = host?.toLowerCase() ?? '';
  const name = given.replace(/:\d{1,5}$/, '');
  const ours = configured.map((entry) => entry.toLowerCase());
  return LOOPBACK_NAMES.includes(name) || ours.includes(name) || ours.includes(given);
}

/**
 * Whether a request that carries the cookie was made by the console itself. SameSite does not tell ports apart, so
 * any other local web application could otherwise act with this session.
 */
export function madeByOwnPage(headers: Readonly<Record<string, string | string[] | undefined>>): boolean {
  const { 'sec-fetch-site': site, origin, host } = headers;
  if (site !== undefined) return site === 'same-origin';
  if (origin === undefined) return true;
  return URL.canParse(String(origin)) && new URL(String(origin)).host === String(host).toLowerCase();
}

const secretToken = () => randomBytes(32).toString('base64url');
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

function cookieValue(header: string, name: string): string | undefined {
  const pairs = header.split(';').map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);
}
