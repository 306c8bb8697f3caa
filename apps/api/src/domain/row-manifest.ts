/** Manifests of stored versions, as those read them who speak of rows, labels and values. */
import type { Manifest } from '@anneal/edge/contract';
import { AnyManifest } from './variants.ts';

/** The manifest of a version that predicts rows; null for one that takes and gives plain tensors. */
export function rowManifest(stored: unknown): Manifest | null {
  const manifest = AnyManifest.parse(stored);
  return 'kind' in manifest ? null : manifest;
}
