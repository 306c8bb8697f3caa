/**
 * The verb recordFeedback: what the edge's feedback door does, for those who have no way to the edge. All of a request
 * is taken or none, and stored by the same ingest.
 */
import { randomUUID } from 'node:crypto';
import { EndpointName, FeedbackItem, MAX_FEEDBACK } from '@anneal/edge/contract';
import { parsePredictionId, versionTag } from '@anneal/edge/predict';
import { cellNumber, classFinder, labelText } from '@anneal/edge/preprocess';
import { z } from 'zod';
import { type Caller, projectOf } from '../context.ts';
import type { Feedback } from '../contract.ts';
import type { Deps } from '../deps.ts';
import { notFound, UserError } from '../errors.ts';
import { ingestFeedback } from './feedback.ts';
import { uuidOrNil } from './ids.ts';
import { AnyManifest } from './variants.ts';

/** Input of {@link recordFeedback}. */
export const RecordFeedbackInput = z.object({
  endpoint: EndpointName,
  feedback: z.array(FeedbackItem).min(1).max(MAX_FEEDBACK),
});
type Input = z.output<typeof RecordFeedbackInput>;

/** Stores labels of predictions of one endpoint; answers how many. @throws UserError */
export async function recordFeedback(deps: Deps, caller: Caller, input: Input): Promise<{ accepted: number }> {
  const { endpoint: name, feedback } = input;
  const endpoint = await deps.prisma.endpoint.findFirst({
    where: { name, projectId: projectOf(caller) },
    select: {
      revisions: {
        orderBy: { number: 'desc' },
        take: 1,
        select: { variants: { select: { modelVersionId: true, modelVersion: { select: { manifest: true } } } } },
      },
    },
  });
  const key = await deps.prisma.apiKey.findUnique({
    where: { id: uuidOrNil(caller.kind === 'key' ? caller.keyId : '') },
  });
  const allowed = !key || key.endpoints.length === 0 || key.endpoints.includes(name);
  if (!endpoint || !allowed) throw notFound('Endpoint', ['endpoint']);
  const served = (endpoint.revisions[0]?.variants ?? []).map(
    ({ modelVersionId, modelVersion }) =>
      [versionTag(modelVersionId), AnyManifest.parse(modelVersion.manifest)] as const,
  );
  const manifests = new Map(served);
  const labels = feedback.map(({ id, label }, i): Feedback['labels'][number] => {
    const at = (field: string) => ['feedback', String(i), field];
    const prediction = parsePredictionId(id);
    if (!prediction)
      throw new UserError('INVALID_PREDICTION_ID', `Expected the id of a prediction, got ${quoted(id)}.`, at('id'));
    const { eventId, index, version } = prediction;
    return { eventId, index, label: readLabel(label, manifests.get(version), at('label')) };
  });
  const time = tellingTime(deps.now().getTime());
  const event: Feedback = { formatVersion: 1, kind: 'FEEDBACK', id: randomUUID(), endpoint: name, time, labels };
  await ingestFeedback(deps, [event]);
  return { accepted: labels.length };
}

/**
 * While the version that answered is served, a label that is none of its classes is refused; of others every text is
 * taken, and judged when labels are counted.
 */
function readLabel(label: FeedbackItem['label'], manifest: AnyManifest | undefined, field: string[]): string {
  const text = labelText(label);
  if (!manifest) {
    if (text !== '' && text.isWellFormed() && !text.includes('\0')) return text;
    throw new UserError('UNKNOWN_LABEL', `Expected a label, got ${quoted(label)}.`, field);
  }
  if ('kind' in manifest)
    throw new UserError('NO_LABELS', 'The version answers tensors, which no label can be compared with.', field);
  const { classes } = manifest;
  if (!classes) {
    const number = cellNumber(text);
    if (number !== undefined) return String(number);
    throw new UserError('UNKNOWN_LABEL', `The version predicts numbers: expected one, got ${quoted(label)}.`, field);
  }
  const known = classes[classFinder(classes)(label)];
  if (known !== undefined) return known;
  const some = `${classes.slice(0, 10).join(', ')}${classes.length > 10 ? ', ...' : ''}`;
  throw new UserError('UNKNOWN_LABEL', `Expected one of ${some}; got ${quoted(label)}.`, field);
}

const quoted = (value: unknown) => JSON.stringify(value).slice(0, 80);

let last = 0;
/** ISO 8601 with microseconds, rising with every call, so that of two labels in a millisecond the later one counts. */
function tellingTime(now: number): string {
  last = Math.max(last + 1, now * 1000);
  const milliseconds = new Date(Math.floor(last / 1000)).toISOString();
  return milliseconds.replace('Z', `${String(last % 1000).padStart(3, '0')}Z`);
}
