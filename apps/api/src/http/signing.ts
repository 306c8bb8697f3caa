/** Signed URLs: HMAC-SHA256 over method, path and expiry. Whoever holds the URL may do that one thing until then. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { UrlSigner } from '../deps.ts';

const signature = (secret: string, method: string, path: string, expires: number) =>
  createHmac('sha256', secret).update(`${method}\n${path}\n${expires}`).digest('base64url');

/** Signs and checks with one secret. */
export function urlSigner(options: { secret: string; baseUrl: () => string; now: () => Date }): UrlSigner & {
  /** Why the URL is refused, or undefined when it is good. */
  refusal(method: string, url: URL): string | undefined;
} {
  return {
    sign({ method, path, expiresAt, baseUrl }) {
      const expires = Math.floor(expiresAt.getTime() / 1000);
      const url = new URL(path, baseUrl ?? options.baseUrl());
      url.searchParams.set('expires', String(expires));
      url.searchParams.set('signature', signature(options.secret, method, url.pathname, expires));
      return url.href;
    },
    refusal(method, url) {
      const expires = Number(url.searchParams.get('expires'));
      const given = Buffer.from(url.searchParams.get('signature') ?? '');
      const expected = Buffer.from(signature(options.secret, method, url.pathname, expires));
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return 'the signature does not fit';
      return expires * 1000 < options.now().getTime() ? 'the URL has expired: ask for a new one' : undefined;
    },
  };
}
