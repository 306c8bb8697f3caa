/** How a request names the version that is to answer it, and how an answer names the route's revision. */
import { refuse } from '../errors.ts';

export const VERSION_HEADER = 'x-anneal-version';
export const REVISION_HEADER = 'x-anneal-revision';

/** The version that the header names, undefined without it. @throws HttpError 400 for what is no version's number. */
export function versionAsked(request: Request): number | undefined {
  const text = request.headers.get(VERSION_HEADER);
  if (text === null) return undefined;
  const version = versionNumber(text);
  if (version !== undefined) return version;
  throw refuse(400, 'INVALID_VERSION', `expected a version's number, got ${text.slice(0, 40)}`, VERSION_HEADER);
}

/** The number of a version that a text writes. */
export function versionNumber(text: string): number | undefined {
  return /^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined;
}
