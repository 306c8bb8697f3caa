import { describe, expect, test } from 'vitest';
import { decodeCheckpoint, encodeCheckpoint, type Progress } from './checkpoint.ts';

const progress: Progress = {
  state: {
    params: Float32Array.of(1, 2, 3),
    m: Float32Array.of(4, 5, 6),
    v: new Float32Array(0),
    ema: Float32Array.of(1, 1, 1),
    buffers: Float32Array.of(10, 11),
    step: 12,
  },
  epoch: 3,
  best: { params: Float32Array.of(7, 8, 9), buffers: Float32Array.of(12, 13), score: [-0.5, 0.25], epoch: 2 },
  seconds: 1.5,
};
const digest = 'd'.repeat(64);

describe('checkpoint', () => {
  test('comes back as it was', () => {
    expect(decodeCheckpoint(encodeCheckpoint(progress, digest), digest)).toEqual(progress);
    const first = { ...progress, best: null };
    expect(decodeCheckpoint(encodeCheckpoint(first, digest), digest)).toEqual(first);
  });

  test('is refused when it is cut off or of another spec', () => {
    const bytes = encodeCheckpoint(progress, digest);
    expect(() => decodeCheckpoint(bytes.subarray(0, 2), digest)).toThrow('cut off');
    expect(() => decodeCheckpoint(bytes.subarray(0, bytes.length - 4), digest)).toThrow('bytes, got');
    expect(() => decodeCheckpoint(bytes, 'e'.repeat(64))).toThrow('belongs to RunSpec');
  });
});
