import { describe, expect, test } from 'vitest';
import { denseModel } from '../../test/models.ts';
import { nodeRuntime } from './node.ts';
import { createSessionCache } from './session-cache.ts';

const SIZE = 256; // 256 KiB of weights each
const x = { type: 'float32' as const, dims: [1, SIZE], data: new Float32Array(SIZE).fill(1) };
const model = (key: string) => denseModel(SIZE, Number(key));

function cacheOf(options: { budgetBytes?: number; heapBytes?: number } = {}) {
  const fetched: string[] = [];
  const pinned: Promise<unknown>[] = [];
  const cache = createSessionCache({
    createRuntime: () => nodeRuntime(options.heapBytes),
    fetchModel: async (key) => {
      fetched.push(key);
      if (key === 'absent') throw new Error('no such model');
      return model(key);
    },
    ...(options.budgetBytes === undefined ? {} : { budgetBytes: options.budgetBytes }),
  });
  const first = (key: string) =>
    cache.with(
      key,
      (work) => pinned.push(work),
      (session) => Number(session.run({ x }).y?.data[0]),
    );
  return { cache, first, fetched, pinned };
}

describe('the session cache', () => {
  test('loads once for requests that come together, and pins the load', async () => {
    const { first, fetched, pinned, cache } = cacheOf();
    const answers = await Promise.all([first('1'), first('1'), first('1')]);
    expect(new Set(answers).size).toBe(1);
    expect(fetched).toEqual(['1']);
    expect(pinned).toHaveLength(1);
    expect(cache.state()).toMatchObject({ sessions: ['1'], loads: 1, evictions: 0, resets: 0 });
  });

  test('keeps to its budget, the least recently used goes first', async () => {
    const { first, cache } = cacheOf({ budgetBytes: 3 * 300_000 });
    const once = await first('1');
    for (const key of ['2', '3', '1', '4']) await first(key);
    expect(cache.state()).toMatchObject({ sessions: ['3', '1', '4'], evictions: 1 });
    for (const key of ['5', '6', '7']) await first(key);
    expect(await first('1')).toBe(once);
  });

  test('makes room when the heap is full before the budget is', async () => {
    const { first, cache } = cacheOf({ heapBytes: 22 * 2 ** 20 });
    for (let key = 1; key <= 40; key++) await first(String(key));
    const { evictions, sessions, resets, heapBytes } = cache.state();
    expect(evictions).toBeGreaterThan(0);
    expect(sessions.at(-1)).toBe('40');
    expect(resets).toBe(0);
    expect(heapBytes).toBeLessThanOrEqual(22 * 2 ** 20);
  });

  test('answers rightly under any interleaving of loads and evictions', async () => {
    const expected = new Map<string, number>();
    const wide = cacheOf();
    for (const key of ['1', '2', '3', '4', '5']) expected.set(key, await wide.first(key));
    const { first, cache } = cacheOf({ budgetBytes: 2 * 300_000 });
    await Promise.all(
      Array.from({ length: 60 }, async (_, i) => {
        const key = String(1 + ((i * 7) % 5));
        expect(await first(key)).toBe(expected.get(key));
      }),
    );
    expect(cache.state().evictions).toBeGreaterThan(0);
  });

  test('forgets a failed load', async () => {
    const { first, fetched } = cacheOf();
    await expect(first('absent')).rejects.toThrow('no such model');
    await expect(first('absent')).rejects.toThrow('no such model');
    expect(fetched).toEqual(['absent', 'absent']);
  });

  test('starts a new heap after a trap', async () => {
    const { first, cache } = cacheOf();
    const before = await first('1');
    const trap = cache.with(
      '1',
      () => {},
      (session) =>
        session.runtime.guard(() => {
          throw new WebAssembly.RuntimeError('unreachable');
        }),
    );
    await expect(trap).rejects.toThrow('the runtime was aborted: unreachable');
    expect(await first('1')).toBe(before);
    expect(cache.state()).toMatchObject({ resets: 1, loads: 2, sessions: ['1'] });
  });
});
