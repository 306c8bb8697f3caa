/**
 * Raw inputs, kept only where an endpoint's settings ask for it: a share of the requests sends its rows to the API.
 * Nothing else at the edge lets a row out.
 */
import type { Sample } from '@anneal/api/contract';
import { type Log, reason } from './log.ts';
import type { Recorder } from './recorder.ts';
import type { Observer } from './serve.ts';

/** Characters of a request's rows as JSON, which must stay small beside what the outbox sends at a time. */
const MAX_LENGTH = 200_000;

export interface SampleParts {
  recorder: Pick<Recorder, 'record'>;
  wait: (ms: number) => Promise<void>;
  /** In [0, 1). */
  random: () => number;
  log: Log;
}

/** Sends the rows of a sampled request, from the first on as many as fit, after the answer. */
export function createSamples({ recorder, wait, random, log }: SampleParts): Observer {
  return ({ route, variant, instances, eventId, time, pin }) => {
    const { samples } = route.settings;
    if (!samples || !instances || random() >= samples.rate) return;
    const record = () => {
      const rows = fitting(instances);
      if (rows.length === 0) return;
      const event: Sample = {
        formatVersion: 1,
        kind: 'SAMPLE',
        id: eventId,
        endpoint: route.endpoint,
        revision: route.revision,
        modelVersionId: variant.modelVersionId,
        time: new Date(time).toISOString(),
        rows,
      };
      recorder.record(event, 'BUFFERED', pin);
    };
    const failed = (error: unknown) => log('error', 'sample.failed', { reason: reason(error) });
    pin(wait(0).then(record).catch(failed));
  };
}

function fitting(instances: Parameters<Observer>[0]['instances'] = []): Sample['rows'] {
  const rows: Sample['rows'] = [];
  let length = 0;
  for (const [index, instance] of instances.entries()) {
    length += JSON.stringify(instance)?.length ?? 0;
    if (length > MAX_LENGTH) break;
    rows.push({ index, instance });
  }
  return rows;
}
