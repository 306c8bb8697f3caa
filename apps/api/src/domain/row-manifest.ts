/** Manifests of stored versions, as those read them who speak of rows, labels and values. */
import { Manifest, TensorManifest } from '@anneal/edge/contract';
import { z } from 'zod';

const Stored = z.union([TensorManifest, Manifest]);

/** The manifest of a version that predicts rows; null for one that takes and gives plain tensors. */
export function rowManifest(stored: unknown): Manifest | null {
  const manifest = Stored.parse(stored);
  return 'kind' in manifest ? null : manifest;
}
