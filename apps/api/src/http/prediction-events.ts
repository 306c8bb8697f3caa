/**
 * POST /internal/prediction-events: the edge's outbox delivers prediction events, feedback, sketches and samples here.
 * Knows keys and the batch's form, no table.
 */
import { z } from 'zod';
import { hasScope } from '../context.ts';
import { Feedback, MAX_EVENTS, PredictionEvent, Sample, Sketch } from '../contract.ts';
import type { Deps } from '../deps.ts';
import { authenticate } from '../domain/auth.ts';
import { ingestSketches } from '../domain/column-rollup.ts';
import { ingestFeedback } from '../domain/feedback.ts';
import { type Ingested, ingest } from '../domain/prediction-events.ts';
import { ingestSamples } from '../domain/sampled-input.ts';

/** PredictionEventBatch with its events unread: judged one by one, so that a bad one does not stop the outbox. */
const Envelope = z.strictObject({ events: z.array(z.unknown()).min(1).max(MAX_EVENTS) });
const Identified = z.object({ id: z.string().max(64) });
const Told = z.object({ kind: z.enum(['FEEDBACK', 'SKETCH', 'SAMPLE']) });
const FORMS = { FEEDBACK: Feedback, SKETCH: Sketch, SAMPLE: Sample };

/**
 * The door. 200 `{ accepted, duplicates, dropped }` for any readable batch: deliver it again only after an answer of
 * 5xx or none. 400 where the body is no batch at all, 401 without a key, 403 with any key but the edge's.
 */
export function predictionEventsDoor(deps: Deps): (request: Request) => Promise<Response> {
  return async (request) => {
    if (request.method !== 'POST') return refuse(405, 'METHOD_NOT_ALLOWED', `expected POST, got ${request.method}`);
    const caller = await authenticate(deps, request.headers.get('authorization') ?? undefined);
    if (caller.kind !== 'key') return refuse(401, 'UNAUTHENTICATED', "expected Authorization: Bearer <the edge's key>");
    // A project's key must not write the traffic of other projects.
    if (!hasScope(caller, 'edge') || caller.projectId !== null)
      return refuse(403, 'FORBIDDEN', "expected the edge's service key; this key is another one");
    return await accept(deps, await request.json().catch(() => undefined));
  };
}

async function accept(deps: Deps, body: unknown): Promise<Response> {
  const batch = Envelope.safeParse(body);
  if (!batch.success) {
    const [issue] = batch.error.issues;
    const where = issue?.path.length ? `${issue.path.join('.')}: ` : '';
    return refuse(400, 'BAD_BATCH', `expected {"events": [1 to 500 events]}: ${where}${issue?.message}`);
  }
  const events: PredictionEvent[] = [];
  const feedback: Feedback[] = [];
  const sketches: Sketch[] = [];
  const samples: Sample[] = [];
  let bad = 0;
  for (const [i, candidate] of batch.data.events.entries()) {
    // One form at a time, so that the log names what is wrong in it.
    const told = Told.safeParse(candidate).data;
    const event = (told ? FORMS[told.kind] : PredictionEvent).safeParse(candidate);
    if (!event.success) {
      bad++;
      logBad(deps, i, candidate, event.error.issues[0]);
    } else if (!('kind' in event.data)) events.push(event.data);
    else if (event.data.kind === 'FEEDBACK') feedback.push(event.data);
    else if (event.data.kind === 'SKETCH') sketches.push(event.data);
    else samples.push(event.data);
  }
  const counted: Ingested[] = [
    await ingest(deps, events),
    await ingestFeedback(deps, feedback),
    await ingestSketches(deps, sketches),
    await ingestSamples(deps, samples),
  ];
  const sum = (of: keyof Ingested) => counted.reduce((total, part) => total + part[of], 0);
  return Response.json({ accepted: sum('accepted'), duplicates: sum('duplicates'), dropped: sum('dropped') + bad });
}

/** Only what was wrong and where: the event itself may hold what users sent. */
function logBad(deps: Deps, index: number, candidate: unknown, issue: z.core.$ZodIssue | undefined): void {
  deps.log.warn('prediction event dropped: not of the expected form', {
    index,
    id: Identified.safeParse(candidate).data?.id,
    field: issue?.path.join('.'),
    expected: issue?.message,
  });
}

function refuse(status: number, code: string, message: string): Response {
  return Response.json({ error: { code, message } }, { status });
}
