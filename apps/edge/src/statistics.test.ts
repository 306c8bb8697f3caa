import { expect, test } from 'vitest';
import { createStatistics } from './statistics.ts';

const timing = { queue: 1, input: 2, infer: 3, output: 4 };

test('successes and failures add up, by batch size too', () => {
  const statistics = createStatistics();
  statistics.count('a', 1, { time: 10, durationMs: 10, instances: 2, timing });
  statistics.count('a', 1, { time: 20, durationMs: 10, instances: 2, timing });
  statistics.count('a', 1, { time: 30, durationMs: 0.5, instances: 7, timing: null });
  expect(statistics.of('a', 1)).toEqual({
    lastInference: 30,
    inferences: 4,
    success: { count: 2, ns: 20e6 },
    fail: { count: 1, ns: 500_000 },
    queue: { count: 2, ns: 2e6 },
    input: { count: 2, ns: 4e6 },
    infer: { count: 2, ns: 6e6 },
    output: { count: 2, ns: 8e6 },
    batches: new Map([
      [2, { input: { count: 2, ns: 4e6 }, infer: { count: 2, ns: 6e6 }, output: { count: 2, ns: 8e6 } }],
    ]),
  });
  expect(statistics.of('a', 2)).toMatchObject({ inferences: 0, lastInference: 0 });
});

test('the version that was quiet longest is forgotten first', () => {
  const statistics = createStatistics(2);
  for (const endpoint of ['a', 'b', 'a', 'c'])
    statistics.count(endpoint, 1, { time: 1, durationMs: 1, instances: 1, timing });
  expect(['a', 'b', 'c'].map((endpoint) => statistics.of(endpoint, 1).inferences)).toEqual([2, 0, 1]);
});
