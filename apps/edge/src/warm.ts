/** Proof that a variant's artifact loads and fits its manifest, before the first client meets it. */
import type { Manifest, ManifestColumn, RouteVariant, TensorManifest } from './contract.ts';
import type { OrtSession, Pin, SessionCache, ValueInfo } from './engine/index.ts';
import { parseInstances } from './predict/index.ts';
import { ENGINE_TYPE } from './protocol/datatype.ts';

/**
 * Loads the model. One of columns is run on a row that says nothing; one of tensors is compared with what its manifest
 * promises (a run would need to know sizes that work). @throws Error saying what does not fit.
 */
export async function warm(sessions: SessionCache, manifest: RouteVariant['manifest'], pin: Pin): Promise<void> {
  const { digest } = manifest.artifact;
  if ('kind' in manifest) {
    await sessions.with(digest, pin, (session) => compare(session, manifest));
    return;
  }
  const feeds = parseInstances(manifest, [emptyRow(manifest)]);
  await sessions.with(digest, pin, (session) => session.run(feeds));
}

function emptyRow({ columns }: Manifest): Record<string, unknown> {
  return Object.fromEntries(columns.map((column) => [column.name, emptyCell(column)]));
}

function emptyCell({ kind, shape = [] }: ManifestColumn): unknown {
  if (kind === 'TENSOR') return new Array<number>(shape.reduce((product, size) => product * size, 1)).fill(0);
  return kind === 'TOKENS' ? [0] : null;
}

function compare(session: OrtSession, manifest: TensorManifest): void {
  const differs = (of: string, promised: TensorManifest['inputs'], present: ValueInfo[]) => {
    for (const { name, datatype } of promised) {
      const type = present.find((candidate) => candidate.name === name)?.type;
      if (type !== ENGINE_TYPE[datatype])
        throw new Error(`manifest: ${of} "${name}" is ${ENGINE_TYPE[datatype]}, the model has ${type ?? 'none'}`);
    }
  };
  differs('input', manifest.inputs, session.inputs);
  differs('output', manifest.outputs, session.outputs);
  const fed = new Set(manifest.inputs.map(({ name }) => name));
  const hungry = session.inputs.find(({ name }) => !fed.has(name));
  if (hungry) throw new Error(`manifest: the model reads "${hungry.name}", which is no input`);
}
