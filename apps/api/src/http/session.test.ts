/** The keyless local console: links, sessions, and whom they keep out. */
import { describe, expect, it } from 'vitest';
import { createSessions, hostAllowed, madeByOwnPage } from './session.ts';

const BASE = 'http://127.0.0.1:4000/graphql';
const HOUR = 60 * 60 * 1000;

function signedIn(options: { now?: () => Date; secret?: string } = {}) {
  const sessions = createSessions({ secret: 'a secret', ...options });
  const setCookie = sessions.redeem(tokenOf(sessions.mintLink(BASE)));
  return { sessions, setCookie: setCookie ?? '', cookie: setCookie?.split(';')[0] ?? '' };
}
const tokenOf = (link: string) => new URL(link).searchParams.get('token') ?? '';

describe('console links', () => {
  it('point at the console of the API and hold 32 random bytes', () => {
    const { sessions } = signedIn();
    const [first, second] = [sessions.mintLink(BASE), sessions.mintLink(BASE)];
    expect(first).toMatch(/^http:\/\/127\.0\.0\.1:4000\/graphiql\/\?token=[\w-]{43}$/);
    expect(second).not.toBe(first);
  });

  it('work once, or any number of times when reusable', () => {
    const { sessions } = signedIn();
    const once = tokenOf(sessions.mintLink(BASE));
    const often = tokenOf(sessions.mintLink(BASE, { reusable: true }));
    expect([sessions.redeem(once), sessions.redeem(once)]).toEqual([expect.any(String), undefined]);
    expect(new Set([sessions.redeem(often), sessions.redeem(often), sessions.redeem(often)]).size).toBe(3);
    expect(sessions.redeem('invented')).toBeUndefined();
  });

  it('become a cookie that scripts cannot read and other sites do not send', () => {
    expect(signedIn().setCookie).toMatch(/^anneal_[0-9a-f]{8}=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/$/);
  });

  it('redirect to the console with the cookie, so that the token leaves the address bar', () => {
    const { sessions } = signedIn();
    const link = sessions.mintLink(BASE);
    const response = sessions.answerLink(new Request(link));
    expect([response?.status, response?.headers.get('location')]).toEqual([303, '/graphiql/']);
    expect(response?.headers.get('cache-control')).toBe('no-store');
    expect(sessions.authenticate(response?.headers.get('set-cookie')?.split(';')[0])).toBe(true);
  });

  it('are refused at the second use by a page that says what to do, except in the browser they signed in', async () => {
    const { sessions } = signedIn();
    const link = sessions.mintLink(BASE);
    expect(sessions.answerLink(new Request(link, { method: 'HEAD' }))).toBeUndefined();
    const cookie = sessions.answerLink(new Request(link))?.headers.get('set-cookie')?.split(';')[0] ?? '';
    const refused = sessions.answerLink(new Request(link));
    expect([refused?.status, refused?.headers.has('set-cookie')]).toEqual([403, false]);
    expect(await refused?.text()).toMatch(/npm start[\s\S]*stack\.json/);
    const repeated = sessions.answerLink(new Request(link, { headers: { cookie } }));
    expect([repeated?.status, repeated?.headers.has('set-cookie')]).toEqual([303, false]);
  });

  it('are answered nowhere else', () => {
    const { sessions } = signedIn();
    expect(sessions.answerLink(new Request('http://127.0.0.1:4000/graphiql/'))).toBeUndefined();
    expect(sessions.answerLink(new Request('http://127.0.0.1:4000/graphql?token=x'))).toBeUndefined();
  });
});

describe('sessions', () => {
  it('are found among other cookies and only by their whole value', () => {
    const { sessions, cookie } = signedIn();
    expect(sessions.authenticate(`theme=dark; ${cookie}; x=1`)).toBe(true);
    for (const other of [undefined, null, '', 'theme=dark', cookie.slice(0, -1), `x${cookie}`, cookie.split('=')[0]]) {
      expect(sessions.authenticate(other)).toBe(false);
    }
  });

  it('end 12 hours after their last use', () => {
    let time = 0;
    const { sessions, cookie } = signedIn({ now: () => new Date(time) });
    time = 11 * HOUR;
    expect(sessions.authenticate(cookie)).toBe(true);
    time = 22 * HOUR;
    expect(sessions.authenticate(cookie)).toBe(true);
    time = 22 * HOUR + 12 * HOUR + 1;
    expect(sessions.authenticate(cookie)).toBe(false);
    time = 22 * HOUR + 12 * HOUR;
    expect(sessions.authenticate(cookie)).toBe(true);
  });

  it('do not outlive the process, and two installations do not share a cookie name', () => {
    const first = signedIn();
    expect(signedIn().sessions.authenticate(first.cookie)).toBe(false);
    expect(signedIn({ secret: 'another' }).cookie.split('=')[0]).not.toBe(first.cookie.split('=')[0]);
  });
});

describe('hostAllowed', () => {
  it.each(['localhost:4000', '127.0.0.1:4000', '[::1]:4000', 'LOCALHOST:4000', 'localhost', '[::1]'])(
    'takes %s',
    (host) => {
      expect(hostAllowed(host, [])).toBe(true);
    },
  );

  it.each([
    undefined,
    '',
    ':4000',
    'evil.example:4000',
    'localhost.evil.example:4000',
    'localhost:4000.evil.example',
    'evil.example:4000@localhost:4000',
    'anneal.example',
  ])('refuses %s', (host) => {
    expect(hostAllowed(host, [])).toBe(false);
  });

  it('takes configured names, bound to a port where one is given', () => {
    const configured = ['Anneal.example', 'other.example:8443'];
    expect(hostAllowed('anneal.example', configured)).toBe(true);
    expect(hostAllowed('anneal.example:443', configured)).toBe(true);
    expect(hostAllowed('other.example:8443', configured)).toBe(true);
    expect(hostAllowed('other.example:1', configured)).toBe(false);
    expect(hostAllowed('other.example', configured)).toBe(false);
  });
});

describe('madeByOwnPage', () => {
  const made = (headers: Record<string, string>) => madeByOwnPage({ host: '127.0.0.1:4000', ...headers });

  it('tells the console from another local page', () => {
    expect(made({ 'sec-fetch-site': 'same-origin', origin: 'http://127.0.0.1:4000' })).toBe(true);
    expect(made({ 'sec-fetch-site': 'same-site', origin: 'http://127.0.0.1:3000' })).toBe(false);
    expect(made({ 'sec-fetch-site': 'cross-site' })).toBe(false);
    expect(made({ origin: 'http://127.0.0.1:4000' })).toBe(true);
    expect(made({ origin: 'http://127.0.0.1:3000' })).toBe(false);
    expect(made({ origin: 'null' })).toBe(false);
    expect(made({})).toBe(true);
  });
});
