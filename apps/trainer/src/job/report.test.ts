import { describe, expect, test } from 'vitest';
import type { MetricPoint } from '../worker/operations.ts';
import { MetricReport } from './report.ts';

describe('MetricReport', () => {
  test('writes every point once and in order, without waiting for the API', async () => {
    const writes: MetricPoint[][] = [];
    const first = Promise.withResolvers<void>();
    const report = new MetricReport(async (points) => {
      writes.push(points);
      if (writes.length === 1) await first.promise;
    });
    for (let step = 0; step < 1201; step++) report.add(step, { loss: step / 2, undefined_metric: null });
    expect(writes.map((points) => points.length)).toEqual([1]);
    first.resolve();
    await report.flush();
    expect(writes.map((points) => points.length)).toEqual([1, 500, 500, 200]);
    expect(writes.flat()).toEqual(Array.from({ length: 1201 }, (_, step) => ({ name: 'loss', step, value: step / 2 })));
  });

  test('a refused write surfaces where the training can still stop', async () => {
    const report = new MetricReport(() => Promise.reject(new Error('stale')));
    report.add(0, { loss: 1 });
    await expect(report.flush()).rejects.toThrow('stale');
    expect(() => report.add(1, { loss: 1 })).toThrow('stale');
  });
});
