/** Sketches over a clock and a recorder of the test's own: what they count, and when they do. */
import type { EdgeEvent, Sketch } from '@anneal/api/contract';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { binaryManifest, routeOf } from '../test/manifests.ts';
import type { RouteVariant } from './contract.ts';
import { binOf, createSketches } from './sketch.ts';

const manifest = binaryManifest(new Uint8Array(1));
const base = routeOf('titanic', 1, [[manifest, 1]], []);
const variant: RouteVariant = {
  ...(base.variants[0] as RouteVariant),
  profile: [{ column: 'age', kind: 'NUMERIC', edges: [0, 10, 20], min: -5, max: 30 }],
};

/** Timers fire when the test says so. */
function stage() {
  const events: Sketch[] = [];
  const timers: { ms: number; fire: () => void }[] = [];
  let time = 1_700_000_100_000; // a whole five minutes
  const sketches = createSketches({
    recorder: { record: (event: EdgeEvent) => void events.push(event as Sketch) },
    wait: (ms) => new Promise((resolve) => timers.push({ ms, fire: resolve })),
    now: () => time,
    log: (_level, event, fields) => {
      throw new Error(`${event} ${JSON.stringify(fields)}`);
    },
  });
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return {
    events,
    timers,
    sketches,
    ask: (ages: (number | null)[]) =>
      sketches.observe({
        ...{ route: base, variant, predictions: null, eventId: '', time, pin: () => {} },
        instances: ages.map((age) => ({ age })),
      }),
    async pass(ms: number) {
      time += ms;
      for (const due of timers.splice(0).filter((timer) => timer.ms <= ms || !timers.push(timer))) due.fire();
      await turn();
    },
    async killTimers() {
      timers.splice(0);
      await turn();
    },
  };
}

describe('sketches', () => {
  it('count nothing before the answer, and send what was counted ten seconds later', async () => {
    const { sketches, ask, pass, events, timers } = stage();
    ask([5, null]);
    ask([100]);
    expect(timers.map(({ ms }) => ms)).toEqual([20]); // one timer for both
    expect(sketches.state()).toEqual({ unsent: 3, skipped: 0 });
    await pass(20);
    expect(events).toEqual([]);
    await pass(10_000);
    expect(events).toMatchObject([
      {
        endpoint: 'titanic',
        modelVersionId: 'version-1',
        time: '2023-11-14T22:15:00.000Z',
        columns: [{ column: 'age', n: 3, missing: 1, unseen: 1, counts: [0, 1, 0, 1] }],
      },
    ]);
    expect(sketches.state()).toEqual({ unsent: 0, skipped: 0 });
  });

  it('are kept apart by five minutes of the requests', async () => {
    const { ask, pass, events } = stage();
    await pass(295_000);
    ask([1]);
    await pass(20);
    await pass(6_000);
    ask([2, 3]);
    await pass(20);
    await pass(10_000);
    const counts = events.map((event) => [event.time.slice(11, 16), event.columns[0]?.n]);
    expect(counts).toEqual([
      ['22:15', 1],
      ['22:20', 2],
    ]);
  });

  it('go on when a request was killed with its timer', async () => {
    const { ask, pass, killTimers, events } = stage();
    ask([1]);
    await killTimers();
    await pass(2_001);
    ask([2]);
    await pass(20);
    await killTimers(); // now the one that would send
    await pass(12_001);
    ask([3]);
    await pass(20);
    expect(events.map((event) => event.columns[0]?.n)).toEqual([3]);
  });

  it('skip rows that there is no room for, and say so', () => {
    const { sketches, ask } = stage();
    for (let i = 0; i < 21; i++) ask(Array(1000).fill(1));
    expect(sketches.state()).toEqual({ unsent: 20_000, skipped: 1000 });
  });

  it('put values where a search from the left would', () => {
    const edges = fc.uniqueArray(fc.integer({ min: -50, max: 50 }), { maxLength: 99 });
    fc.assert(
      fc.property(edges, fc.integer({ min: -60, max: 60 }), (unsorted, value) => {
        const sorted = unsorted.toSorted((a, b) => a - b);
        return binOf(sorted, value) === sorted.filter((edge) => edge <= value).length;
      }),
    );
  });
});
