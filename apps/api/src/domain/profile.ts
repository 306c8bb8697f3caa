/**
 * Profiles of versions: made once per version from its training data, in a thread, and kept. What made them never
 * changes, so a version has the same profile wherever it is asked for.
 */
import { Worker } from 'node:worker_threads';
import { columnInputs, type Manifest } from '@anneal/edge/contract';
import type { BlobStore, Deps } from '../deps.ts';
import type { CountedColumn, ProfiledColumn } from './column-profile.ts';
import type { ProfileJob } from './profile-worker.ts';
import { AnyManifest } from './variants.ts';

/** Profiles kept: each has some thousands of numbers at most. */
const KEPT = 200;

interface Kept {
  profiles: Map<string, Promise<CountedColumn[] | null>>;
  /** Threads run one after the other. */
  last: Promise<unknown>;
}
const keptByStore = new WeakMap<BlobStore, Kept>();

type ProfileDeps = Pick<Deps, 'prisma' | 'blobs' | 'log'>;

/**
 * The profiles of versions by their id; null where a version has no columns or no data, or where its data cannot be
 * read any more, which is logged.
 */
export async function profilesOf(
  deps: ProfileDeps,
  modelVersionIds: readonly string[],
): Promise<Map<string, CountedColumn[] | null>> {
  const kept = keptByStore.get(deps.blobs) ?? { profiles: new Map(), last: Promise.resolve() };
  keptByStore.set(deps.blobs, kept);
  const profiles = new Map(modelVersionIds.map((id) => [id, kept.profiles.get(id)]));
  const absent = modelVersionIds.filter((id) => !kept.profiles.has(id));
  for (const source of absent.length === 0 ? [] : await readSources(deps, absent)) {
    const made = kept.last
      .then(() => make(deps, source))
      .catch((error) => {
        // Drift is not worth a deployment that fails.
        deps.log.error('a version has no profile: its drift is not measured', {
          version: source.id,
          error: String(error),
        });
        kept.profiles.delete(source.id); // asked again, it may succeed
        return null;
      });
    kept.last = made;
    profiles.set(source.id, made);
    keep(kept, source.id, made);
  }
  const found = [...profiles].map(async ([id, made]) => [id, (await made) ?? null] as const);
  return new Map(await Promise.all(found));
}

function keep({ profiles }: Kept, id: string, made: Promise<CountedColumn[] | null>): void {
  profiles.set(id, made);
  const [oldest] = profiles.keys();
  if (profiles.size > KEPT && oldest !== undefined) profiles.delete(oldest);
}

interface Source {
  id: string;
  columns: ProfiledColumn[];
  tableDigest: string | undefined;
  predictionsDigest: string | undefined;
}

/** One statement for all; the first evaluation, so that a later one changes no profile. */
async function readSources({ prisma }: ProfileDeps, ids: readonly string[]): Promise<Source[]> {
  const versions = await prisma.modelVersion.findMany({
    where: { id: { in: [...ids] } },
    select: {
      id: true,
      manifest: true,
      run: {
        select: {
          datasetVersion: { select: { digest: true } },
          experiment: { select: { datasetVersion: { select: { digest: true } } } },
        },
      },
      evaluations: {
        where: { source: 'HOLDOUT' },
        orderBy: { id: 'asc' },
        take: 1,
        select: { predictionsDigest: true },
      },
    },
  });
  return versions.map(({ id, manifest, run, evaluations }) => ({
    id,
    columns: profiledColumns(AnyManifest.parse(manifest)),
    tableDigest: (run.experiment?.datasetVersion ?? run.datasetVersion)?.digest,
    predictionsDigest: evaluations[0]?.predictionsDigest,
  }));
}

/** The columns that a model reads as numbers or as categories. */
function profiledColumns(manifest: AnyManifest): ProfiledColumn[] {
  if ('kind' in manifest) return [];
  const typeOf = new Map(columnInputs(manifest).map(({ column, type }) => [column, type]));
  const kindOf = ({ name }: Manifest['columns'][number]) => {
    const type = typeOf.get(name);
    if (type === 'double') return 'NUMERIC';
    return type === 'string' ? 'CATEGORICAL' : undefined;
  };
  return manifest.columns.flatMap((column) => {
    const kind = kindOf(column);
    return kind === undefined || column.kind !== kind ? [] : [{ name: column.name, kind }];
  });
}

async function make(deps: ProfileDeps, source: Source): Promise<CountedColumn[] | null> {
  const { columns, tableDigest, predictionsDigest } = source;
  if (columns.length === 0 || tableDigest === undefined) return null;
  const [table, predictions] = await Promise.all([
    deps.blobs.file(tableDigest),
    predictionsDigest === undefined ? null : deps.blobs.file(predictionsDigest),
  ]);
  try {
    return await inThread({ table: table.path, predictions: predictions?.path ?? null, columns });
  } finally {
    await Promise.all([table.release(), predictions?.release()]);
  }
}

function inThread(job: ProfileJob): Promise<CountedColumn[]> {
  const worker = new Worker(new URL('./profile-worker.ts', import.meta.url), { workerData: job });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`the profiling thread ended with code ${code} and no answer`)));
  });
}
