/** The stopping rule of successive halving over simulated learning curves. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../random.ts';
import { proceeds, rungsOf } from './asha.ts';

describe('rungsOf', () => {
  it('are powers of the reduction factor below the budget', () => {
    expect(rungsOf({ minEpochs: 1, maxEpochs: 81, reductionFactor: 3 })).toEqual([1, 3, 9, 27]);
    expect(rungsOf({ minEpochs: 5, maxEpochs: 20, reductionFactor: 2 })).toEqual([5, 10]);
    expect(rungsOf({ minEpochs: 20, maxEpochs: 20, reductionFactor: 2 })).toEqual([]);
  });
});

const scores = fc.array(fc.double({ min: -100, max: 100, noNaN: true }), { maxLength: 60 });
const score = fc.double({ min: -100, max: 100, noNaN: true });
const rule = fc.record({ reductionFactor: fc.integer({ min: 2, max: 16 }), higherIsBetter: fc.boolean() });

describe('proceeds', () => {
  it('never stops the best so far', () => {
    fc.assert(
      fc.property(scores, score, rule, (others, own, options) => {
        const better = others.some((other) => (options.higherIsBetter ? other > own : other < own));
        return better || proceeds(own, others, options);
      }),
    );
  });

  it('never stops a trial where a worse one would go on', () => {
    fc.assert(
      fc.property(scores, score, score, rule, (others, a, b, options) => {
        const [best, worst] = a > b === options.higherIsBetter ? [a, b] : [b, a];
        return proceeds(best, others, options) || !proceeds(worst, others, options);
      }),
    );
  });

  it('means the same for accuracy and for error', () => {
    fc.assert(
      fc.property(scores, score, rule, (others, own, { reductionFactor, higherIsBetter }) => {
        const mirrored = others.map((other) => -other);
        const turned = { reductionFactor, higherIsBetter: !higherIsBetter };
        return proceeds(own, others, { reductionFactor, higherIsBetter }) === proceeds(-own, mirrored, turned);
      }),
    );
  });

  it('keeps exactly the best 1/n when the good ones come last, one when they come first', () => {
    const options = { reductionFactor: 3, higherIsBetter: true };
    const kept = (order: number[]) => order.filter((own, i) => proceeds(own, order.slice(0, i), options)).length;
    const falling = Array.from({ length: 99 }, (_, i) => -i);
    expect(kept(falling)).toBe(1);
    const last = [...Array.from({ length: 66 }, (_, i) => -i), ...Array.from({ length: 33 }, () => 1)];
    expect(kept(last)).toBe(1 + 33);
  });
});

/**
 * A simulated search: curves that fall from a start to an own floor, `workers` of which are trained at a time, one
 * epoch each in an order that the random numbers decide.
 */
function simulate(seed: number, o: { trials: number; workers: number; reductionFactor: number; maxEpochs: number }) {
  const random = seededRandom(seed);
  const rungs = rungsOf({ minEpochs: 1, ...o });
  const floors = Array.from({ length: o.trials }, () => random.uniform());
  const lossOf = (trial: number, epoch: number) => (floors[trial] ?? 0) * (1 + 2 / epoch); // curves do not cross
  const came = new Map<number, number[]>(rungs.map((rung) => [rung, []]));
  const waiting = floors.map((_, trial) => ({ trial, epoch: 0 }));
  const running = waiting.splice(0, o.workers);
  const finished: number[] = [];
  let epochs = 0;
  while (running.length > 0) {
    const place = random.below(running.length);
    const own = running[place];
    if (!own) break;
    own.epoch++;
    epochs++;
    const others = came.get(own.epoch);
    const loss = lossOf(own.trial, own.epoch);
    const goesOn = !others || proceeds(loss, others, { ...o, higherIsBetter: false });
    others?.push(loss);
    if (own.epoch === o.maxEpochs) finished.push(own.trial);
    if (goesOn && own.epoch < o.maxEpochs) continue;
    running.splice(place, 1, ...waiting.splice(0, 1));
  }
  return { finished, epochs, best: floors.indexOf(Math.min(...floors)) };
}

describe('a search over simulated curves', () => {
  const setting = fc.record({
    trials: fc.integer({ min: 1, max: 60 }),
    workers: fc.integer({ min: 1, max: 12 }),
    reductionFactor: fc.integer({ min: 2, max: 5 }),
    maxEpochs: fc.integer({ min: 2, max: 60 }),
  });

  it('finds the best trial, whatever the number of trainers and the order of their reports', () => {
    fc.assert(
      fc.property(fc.nat(), setting, (seed, options) => {
        const { finished, best } = simulate(seed, options);
        return finished.includes(best);
      }),
    );
  });

  it('spends a fraction of the epochs of a random search of the same size', () => {
    const options = { trials: 200, workers: 8, reductionFactor: 3, maxEpochs: 81 };
    for (const seed of [1, 2, 3]) {
      const { epochs, finished } = simulate(seed, options);
      expect(epochs).toBeLessThan((options.trials * options.maxEpochs) / 5);
      expect(finished.length).toBeLessThan(30);
    }
  });
});
