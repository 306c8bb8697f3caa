/** Prediction events and feedback as the edge's outbox delivers them. */
import { randomUUID } from 'node:crypto';
import type { EdgeEvent, Feedback, PredictionEvent } from '../../apps/api/src/contract.ts';
import type { TestApi } from './api.ts';
import type { SeededVersion } from './seed.ts';

export type Answer = NonNullable<PredictionEvent['predictions']>[number];

/** A request at endpoint "iris" that this version answered. */
export const answered = (
  version: Pick<SeededVersion, 'uuid'>,
  predictions: Answer[],
  fields: Partial<PredictionEvent> = {},
): PredictionEvent => ({
  formatVersion: 1,
  id: randomUUID(),
  endpoint: 'iris',
  revision: 1,
  modelVersionId: version.uuid,
  time: new Date().toISOString(),
  durationUs: 500,
  status: 'OK',
  errorCode: null,
  instances: predictions.length,
  predictions,
  ...fields,
});

/** What a shadow said of a request that was answered. */
export const shadowed = (
  version: Pick<SeededVersion, 'uuid'>,
  of: PredictionEvent,
  predictions: Answer[],
  fields: Partial<PredictionEvent> = {},
) =>
  answered(version, predictions, { role: 'SHADOW', shadowOf: of.id, endpoint: of.endpoint, time: of.time, ...fields });

export const classes = (...labels: string[]): Answer[] => labels.map((label) => ({ label, score: 0.9 }));

/** Labels by index, told `afterMs` after the event; null = none for that instance. */
export const told = (
  event: PredictionEvent,
  labels: (string | null)[],
  { afterMs = 1000, ...fields }: Partial<Feedback> & { afterMs?: number } = {},
): Feedback => ({
  formatVersion: 1,
  kind: 'FEEDBACK',
  id: randomUUID(),
  endpoint: event.endpoint,
  time: new Date(Date.parse(event.time) + afterMs).toISOString().replace('Z', '000Z'),
  labels: labels.flatMap((label, index) => (label === null ? [] : [{ eventId: event.id, index, label }])),
  ...fields,
});

/** Delivers one batch; answers what became of it. */
export async function deliver(
  api: Pick<TestApi, 'url' | 'keys'>,
  events: readonly EdgeEvent[],
): Promise<{ accepted: number; duplicates: number; dropped: number }> {
  const response = await fetch(`${api.url}/internal/prediction-events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${api.keys.edge}` },
    body: JSON.stringify({ events }),
  });
  if (response.status !== 200) throw new Error(`the API answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as { accepted: number; duplicates: number; dropped: number };
}
