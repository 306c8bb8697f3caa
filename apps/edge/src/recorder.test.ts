import type { PredictionEvent } from '@anneal/api/contract';
import { describe, expect, test } from 'vitest';
import type { Pin } from './engine/index.ts';
import { createRecorder } from './recorder.ts';

const event = (instances = 1): PredictionEvent => ({
  formatVersion: 1,
  id: crypto.randomUUID(),
  endpoint: 'iris',
  revision: 1,
  modelVersionId: 'v',
  time: new Date(0).toISOString(),
  durationUs: 1,
  status: 'OK',
  errorCode: null,
  instances,
  predictions: null,
});

/** A recorder over an outbox that fails as often as told, and a clock that moves when it is told to. */
function stand(failures = 0) {
  const [batches, waits, pinned]: [string[][], (() => void)[], Promise<unknown>[]] = [[], [], []];
  const clock = { now: 0, failures };
  const recorder = createRecorder({
    append: async (bodies) => {
      if (clock.failures-- > 0) throw new Error('the object has moved');
      batches.push(bodies);
    },
    wait: () => new Promise((resolve) => waits.push(resolve)),
    now: () => clock.now,
    log: () => {},
  });
  const push = (e = event()) => recorder.record(e, 'BUFFERED', (work) => pinned.push(work));
  /** Ends what waits, and all that begins to wait meanwhile, until every flush has ended. */
  const settle = async () => {
    const all = Promise.all(pinned);
    let done = false;
    all.then(() => {
      done = true;
    });
    while (!done) {
      for (const end of waits.splice(0)) end();
      await new Promise(setImmediate);
    }
  };
  return { recorder, batches, pinned, clock, push, settle };
}

describe('BUFFERED', () => {
  test('pins one timer for all that come within it', async () => {
    const { recorder, batches, pinned, push, settle } = stand();
    const events = [event(), event(), event()];
    for (const e of events) expect(push(e)).toBeUndefined();
    expect(pinned).toHaveLength(1);
    expect(recorder.state()).toEqual({ buffered: 3, lost: 0 });
    await settle();
    expect(batches).toEqual([events.map((e) => JSON.stringify(e))]);
    expect(recorder.state()).toEqual({ buffered: 0, lost: 0 });
    push();
    expect(pinned).toHaveLength(2);
  });

  test('makes late events with their batch, for the flush that takes them, or when it is told to', async () => {
    const { recorder, batches, pinned, settle } = stand();
    const pin: Pin = (work) => {
      pinned.push(work);
    };
    const made: unknown[] = [];
    const late = (e: PredictionEvent) => ({
      weight: 1,
      make(flushing: Pin) {
        made.push(flushing);
        return e;
      },
    });
    const events = [event(), event(), event()];
    for (const e of events) recorder.recordLater(late(e), e === events[0] ? pin : () => {});
    expect(made).toEqual([]);
    expect(recorder.state().buffered).toBe(3);
    await settle();
    expect(made).toEqual([pin, pin, pin]);
    expect(batches).toEqual([events.map((e) => JSON.stringify(e))]);
    recorder.recordLater(late(event()), pin);
    recorder.settle(pin);
    expect(made).toHaveLength(4);
    await settle();
    expect(made).toHaveLength(4);
    expect(recorder.state().buffered).toBe(0);
  });

  test('goes at once when it is full, of events or of instances', async () => {
    const { batches, push } = stand();
    for (let i = 0; i < 500; i++) push();
    await Promise.resolve();
    expect(batches.map((batch) => batch.length)).toEqual([500]);
    for (let i = 0; i < 5; i++) push(event(1000));
    await Promise.resolve();
    expect(batches.map((batch) => batch.length)).toEqual([500, 5]);
  });

  test('tries again, and counts what the outbox never took', async () => {
    const { recorder, batches, clock, push, settle } = stand(4);
    push();
    await settle();
    expect(batches).toHaveLength(1);
    clock.failures = 5;
    push();
    push();
    await settle();
    expect(batches).toHaveLength(1);
    expect(recorder.state()).toEqual({ buffered: 0, lost: 2 });
  });

  test('holds no more than ten thousand', () => {
    const { recorder, push } = stand(Number.POSITIVE_INFINITY);
    for (let i = 0; i < 10_010; i++) push();
    expect(recorder.state()).toEqual({ buffered: 10_000, lost: 10 });
  });

  test('is flushed by a later request when the one with the timer was killed', async () => {
    const { batches, clock, push } = stand();
    push(); // its timer never ends
    clock.now = 1_500;
    push();
    await Promise.resolve();
    expect(batches.map((batch) => batch.length)).toEqual([2]);
  });
});

test('DURABLE is a promise that the caller waits for, and that fails with the outbox', async () => {
  const { recorder, batches, clock } = stand();
  const e = event();
  await recorder.record(e, 'DURABLE', () => {});
  expect(batches).toEqual([[JSON.stringify(e)]]);
  clock.failures = 1;
  await expect(recorder.record(e, 'DURABLE', () => {})).rejects.toThrow('moved');
});
