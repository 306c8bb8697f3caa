/** Dataset versions: uploads are parsed once, and what came out never changes. */
import { Readable } from 'node:stream';
import { decodeTable, type Task } from '@anneal/trainer/contract';
import { z } from 'zod';
import { type Caller, projectOf } from '../context.ts';
import { ColumnOverride } from '../data/column-override.ts';
import { DataError } from '../data/error.ts';
import { type ParsedDataset, parseDataset } from '../data/parse-dataset.ts';
import { SplitSpec } from '../data/split-spec.ts';
import type { Deps } from '../deps.ts';
import { notFound, UserError } from '../errors.ts';
import type { Prisma } from '../generated/prisma/client.ts';
import { canonicalJson } from './canonical.ts';
import { StoredColumns } from './dataset-columns.ts';
import { globalId } from './ids.ts';
import { type CompleteUpload, usableUpload } from './upload.ts';

/** Input of {@link commitDatasetVersion}. */
export const CommitDatasetVersionInput = z.object({
  datasetId: globalId('Dataset'),
  uploadTokens: z.array(globalId('Upload')).min(1).max(16),
  format: z.enum(['CSV', 'JSONL', 'IDX']),
  target: z.string().trim().min(1),
  columns: z.array(ColumnOverride).max(10_000).nullish(),
  split: SplitSpec.nullish(),
  encoding: z.enum(['AUTO', 'UTF8', 'UTF16LE', 'UTF16BE', 'WINDOWS1252']).nullish(),
  delimiter: z.enum([',', ';', '\t', '|']).nullish(),
  header: z.boolean().nullish(),
  quotes: z.enum(['AUTO', 'QUOTED', 'LITERAL']).nullish(),
});
type Input = z.output<typeof CommitDatasetVersionInput>;

/**
 * Parses the uploads and stores table and row; the same content committed again is the same version.
 * The table is stored before the row: a crash between leaves a blob that nobody names, never a row without bytes.
 */
export async function commitDatasetVersion(
  deps: Deps,
  caller: Caller,
  input: Input,
): Promise<{ datasetVersionId: string }> {
  const projectId = projectOf(caller);
  const dataset = await deps.prisma.dataset.findFirst({ where: { id: input.datasetId, projectId } });
  if (!dataset) throw notFound('Dataset', ['datasetId']);
  const sources: CompleteUpload[] = [];
  for (const [i, id] of input.uploadTokens.entries())
    sources.push(await usableUpload(deps.prisma, { id, projectId }, ['uploadTokens', `${i}`]));
  const parsed = await parse(deps, sources, input);
  const stored = await deps.blobs.put(Readable.from([parsed.table]), { maxBytes: parsed.table.byteLength });
  if (stored.digest !== parsed.digest)
    throw new Error(`table of dataset ${dataset.id}: stored as ${stored.digest}, parsed as ${parsed.digest}`);
  return { datasetVersionId: await insertVersion(deps, dataset.id, input.format, parsed, sources) };
}

async function parse(deps: Deps, sources: CompleteUpload[], input: Input): Promise<ParsedDataset> {
  const files = await Promise.all(sources.map(({ digest }) => deps.blobs.file(digest)));
  try {
    return await parseDataset({
      files: files.map(({ path }, i) => ({ path, filename: sources[i]?.filename ?? '' })),
      format: input.format,
      target: input.target,
      columns: input.columns ?? [],
      split: input.split ?? {},
      encoding: input.encoding ?? undefined,
      delimiter: input.delimiter ?? undefined,
      header: input.header ?? undefined,
      quotes: input.quotes ?? undefined,
    });
  } catch (error) {
    if (error instanceof DataError) throw new UserError(error.code, error.message, error.field ?? undefined);
    throw error;
  } finally {
    await Promise.all(files.map((file) => file.release()));
  }
}

async function insertVersion(
  deps: Deps,
  datasetId: string,
  format: Input['format'],
  parsed: ParsedDataset,
  sources: CompleteUpload[],
): Promise<string> {
  const meaning = canonicalJson(parsed.columns);
  return await deps.prisma.$transaction(async (tx) => {
    await tx.$queryRaw`SELECT id FROM "Dataset" WHERE id = ${datasetId}::uuid FOR UPDATE`; // numbers rise one by one
    const equal = await tx.datasetVersion.findMany({ where: { datasetId, digest: parsed.digest } });
    // The table does not tell everything: ignored columns and renamed values are not in it, and the edge needs them.
    const same = equal.find(({ columns }) => canonicalJson(StoredColumns.parse(columns)) === meaning);
    if (same) return same.id;
    const last = await tx.datasetVersion.aggregate({ where: { datasetId }, _max: { number: true } });
    const data = { datasetId, format, number: (last._max.number ?? 0) + 1, ...rowOf(parsed, sources) };
    return (await tx.datasetVersion.create({ data, select: { id: true } })).id;
  });
}

function rowOf(parsed: ParsedDataset, sources: CompleteUpload[]) {
  return {
    digest: parsed.digest,
    byteLength: parsed.table.byteLength,
    target: parsed.targetName,
    task: parsed.inferredTask,
    tasks: possibleTasks(parsed),
    rowCount: parsed.rowCount,
    classes: parsed.classes ?? [],
    columns: json(parsed.columns),
    balance: json(parsed.balance),
    split: json(parsed.split),
    findings: json(parsed.findings),
    missingValues: parsed.missingValues,
    sources: json(sources.map(({ filename, digest, byteLength }) => ({ filename, digest, byteLength }))),
  };
}

/** Plain JSON, as the column stores it. */
function json(value: unknown): Prisma.InputJsonValue {
  return JSON.parse(JSON.stringify(value));
}

/** Everything that the target can be taken for; the inferred task is one of them. */
function possibleTasks({ table, classes }: ParsedDataset): Task[] {
  const tasks: Task[] = [];
  if (classes) tasks.push(classes.length === 2 ? 'BINARY' : 'MULTICLASS');
  if (decodeTable(table).target.values) tasks.push('REGRESSION');
  return tasks;
}
