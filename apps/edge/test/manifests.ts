/** Manifests and routes that fit the models of models.ts. */
import { createHash } from 'node:crypto';
import { EndpointSettings, type Manifest, type Route } from '../src/contract.ts';

export const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');

const COLUMNS: Manifest['columns'] = [
  { name: 'age', kind: 'NUMERIC', used: true },
  { name: 'sex', kind: 'CATEGORICAL', used: true, categories: ['female', 'male'] },
  { name: 'ticket number', kind: 'TEXT', used: false },
];
const INPUTS: Manifest['inputs'] = [
  { name: 'age', column: 'age', type: 'double' },
  { name: 'sex', column: 'sex', type: 'string' },
];

/** The manifest of `binaryModel`: classes no and yes. */
export function binaryManifest(model: Uint8Array, changes: Partial<Manifest> = {}): Manifest {
  return {
    formatVersion: 1,
    task: 'BINARY',
    artifact: { digest: sha256(model), byteLength: model.byteLength },
    columns: COLUMNS,
    target: 'survived',
    missingValues: ['?', 'NA'],
    classes: ['no', 'yes'],
    positiveClass: 'yes',
    threshold: 0.5,
    inputs: INPUTS,
    output: 'probabilities',
    ...changes,
  };
}

/** The manifest of `regressionModel`. */
export function regressionManifest(model: Uint8Array): Manifest {
  return binaryManifest(model, {
    task: 'REGRESSION',
    classes: null,
    positiveClass: null,
    threshold: null,
    output: 'value',
  });
}

/** A shadow of that version's number, for a share of all requests. */
export function shadowOf(manifest: Route['shadows'][number]['manifest'], share: number, version: number) {
  return { modelVersionId: `version-${version}`, model: 'titanic', version, weight: share, manifest };
}

/** A route of variants [manifest, weight] that `key` may call with the scope read. */
export function routeOf(
  endpoint: string,
  revision: number,
  variants: [manifest: Route['variants'][number]['manifest'], weight: number][],
  keys: Route['keys'],
  more: Partial<Route> = {},
): Route {
  return {
    formatVersion: 1,
    endpoint,
    revision,
    variants: variants.map(([manifest, weight], i) => ({
      modelVersionId: `version-${i + 1}`,
      model: 'titanic',
      version: i + 1,
      weight,
      manifest,
    })),
    shadows: [],
    events: 'BUFFERED',
    settings: EndpointSettings.parse({}),
    keys,
    ...more,
  };
}
