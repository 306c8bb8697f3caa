/** Uploads: a file is staged, PUT to a signed URL, and from then on named by its token. */
import { z } from 'zod';
import { type Caller, hasScope, projectOf } from '../context.ts';
import type { Deps } from '../deps.ts';
import { forbidden, notFound, UserError } from '../errors.ts';
import type { Prisma, Upload } from '../generated/prisma/client.ts';
import { globalId, toGlobalId } from './ids.ts';
import { trainableRun } from './run-access.ts';

const MAX_BYTES = 2n << 30n;
/** Long enough for 2 GiB over a slow line, short enough for a URL that needs no key. */
const URL_LIFE_MS = 60 * 60 * 1000;

/** Input of {@link stageUpload}. */
export const StageUploadInput = z.object({
  filename: z.string().trim().min(1).max(255),
  byteLength: z.bigint().min(1n, 'expected at least 1 byte').max(MAX_BYTES, 'expected at most 2 GiB'),
  mediaType: z.string().trim().max(127).nullish(),
  runId: globalId('Run').nullish(),
});

/** How to send the bytes, and the token that names them afterwards. */
export interface StagedUpload {
  url: string;
  method: 'PUT';
  headers: { name: string; value: string }[];
  token: string;
  expiresAt: Date;
}

/** Stages a file for the caller's project, or, for trainers, for the project of the run that made it. */
export async function stageUpload(
  deps: Deps,
  caller: Caller,
  input: z.output<typeof StageUploadInput>,
): Promise<StagedUpload> {
  const projectId = input.runId ? (await trainableRun(deps, caller, input.runId)).projectId : writableProject(caller);
  const mediaType = input.mediaType || 'application/octet-stream';
  const expiresAt = new Date(deps.now().getTime() + URL_LIFE_MS);
  const { filename, byteLength } = input;
  const upload = await deps.prisma.upload.create({ data: { projectId, filename, mediaType, byteLength, expiresAt } });
  return {
    url: deps.signer.sign({ method: 'PUT', path: `/uploads/${upload.id}`, expiresAt }),
    method: 'PUT',
    headers: [{ name: 'content-type', value: mediaType }],
    token: toGlobalId('Upload', upload.id),
    expiresAt,
  };
}

function writableProject(caller: Caller): string {
  if (!hasScope(caller, 'write')) throw forbidden('Uploads without a runId need the scope write.');
  return projectOf(caller);
}

/** The staged upload, for the door that takes the bytes in. */
export async function findUpload(deps: Pick<Deps, 'prisma'>, id: string): Promise<Upload | null> {
  return await deps.prisma.upload.findUnique({ where: { id } });
}

/** Notes that the bytes are here. Once: a second PUT of other bytes must not change what a token names. */
export async function completeUpload(
  deps: Pick<Deps, 'prisma' | 'now'>,
  id: string,
  { digest }: { digest: string; byteLength: number },
): Promise<void> {
  await deps.prisma.upload.updateMany({ where: { id, digest: null }, data: { digest, completedAt: deps.now() } });
}

/** An upload whose bytes are here. */
export interface CompleteUpload {
  filename: string;
  mediaType: string;
  digest: string;
  byteLength: number;
}

/**
 * The complete upload that a token names. @throws UserError NOT_FOUND (also for those of other projects),
 * UPLOAD_INCOMPLETE
 */
export async function usableUpload(
  prisma: Pick<Prisma.TransactionClient, 'upload'>,
  upload: { id: string; projectId: string },
  field: readonly string[],
): Promise<CompleteUpload> {
  const found = await prisma.upload.findFirst({ where: upload });
  if (!found) throw notFound('Upload', field);
  const { filename, mediaType, digest, byteLength } = found;
  if (!digest)
    throw new UserError(
      'UPLOAD_INCOMPLETE',
      `The bytes of "${filename}" are not here yet: PUT them to its URL.`,
      field,
    );
  return { filename, mediaType, digest, byteLength: Number(byteLength) };
}
