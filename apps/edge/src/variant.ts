/** Which variant of a route answers. Pure. */
import type { SelectedBy } from '@anneal/api/contract';
import type { Route, RouteVariant } from './contract.ts';
import { refuse } from './errors.ts';

/**
 * The variant that answers, and what it was chosen by: a version that was asked for, else a key, else chance.
 * @throws HttpError 404 when nothing is deployed, or not that version.
 */
export function chooseVariant(
  route: Route,
  { version, routeKey }: { version?: number | undefined; routeKey?: string | undefined },
  random: () => number,
): { variant: RouteVariant; selectedBy: SelectedBy } {
  if (version !== undefined) {
    // Versions of two models may share a number: then the weights decide between them.
    const variant = pickVariant(variantsOf(route, version), routeKey, random);
    if (variant) return { variant, selectedBy: 'VERSION' };
    throw unknownVersion(route, version);
  }
  const variant = pickVariant(route.variants, routeKey, random);
  if (!variant) throw refuse(404, 'NOT_FOUND', `endpoint ${route.endpoint} has no version deployed`);
  return { variant, selectedBy: routeKey === undefined ? 'WEIGHT' : 'ROUTE_KEY' };
}

/** The variants of that number; shadows only where no variant has it. */
export function variantsOf({ variants, shadows }: Route, version: number): RouteVariant[] {
  const named = (of: readonly RouteVariant[]) => of.filter((variant) => variant.version === version);
  const found = named(variants);
  return found.length > 0 ? found : named(shadows);
}

/** What a request gets that names a version that is not there. */
export function unknownVersion({ endpoint, variants, shadows }: Route, version: number) {
  const numbers = [...new Set([...variants, ...shadows].map((variant) => variant.version))].sort((a, b) => a - b);
  const deployed = numbers.length > 0 ? `expected one of ${numbers.join(', ')}` : 'nothing is deployed';
  return refuse(404, 'NOT_FOUND', `endpoint ${endpoint} has no version ${version}: ${deployed}`);
}

/**
 * Picks by weight: the same variant for the same `routeKey` as long as the weights stay, a random one without a key.
 * `random` is in [0, 1).
 */
export function pickVariant<V extends { weight: number }>(
  variants: readonly V[],
  routeKey: string | undefined,
  random: () => number,
): V | undefined {
  const total = variants.reduce((sum, variant) => sum + variant.weight, 0);
  let at = (routeKey === undefined ? random() : unitHash(routeKey)) * total;
  for (const variant of variants) {
    at -= variant.weight;
    if (at < 0) return variant;
  }
  return variants.at(-1); // rounding
}

/**
 * A text's place in [0, 1): FNV-1a, then MurmurHash3's finalizer (fmix32). Without the finalizer similar keys stay
 * close: measured, a share of 10% got 4% of "user-1", "user-2", ...
 */
export function unitHash(text: string): number {
  let h = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) h = Math.imul(h ^ byte, 0x01000193);
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  h ^= h >>> 16;
  return (h >>> 0) / 2 ** 32;
}
