/**
 * The state of a training between two epochs as bytes: what a resumed run needs to end with the same bytes as one that
 * was never killed. Random numbers need no state, every epoch has a stream of its own. Knows no API.
 *
 * Layout: uint32 (little-endian) length of the JSON header, the header padded to a multiple of 4, float32 arrays in
 * order.
 */
import { z } from 'zod';
import type { State } from '../optim/state.ts';
import type { Weights } from '../zoo/network.ts';

/** Everything that changes from epoch to epoch. */
export interface Progress {
  state: State;
  /** Epochs done. */
  epoch: number;
  /** The best weights so far by validation; null before the first or without validation rows. */
  best: (Weights & { score: [number, number]; epoch: number }) | null;
  /** Spent in earlier attempts too, for a wall-clock budget. */
  seconds: number;
}

const Header = z.object({
  /** 3: m and v of AdamW are sums, see optim/adamw.ts. */
  formatVersion: z.literal(3),
  specDigest: z.string(),
  step: z.int().min(0),
  epoch: z.int().min(0),
  seconds: z.number().min(0),
  best: z.object({ score: z.tuple([z.number(), z.number()]), epoch: z.int() }).nullable(),
  /** Lengths of params, m, v, ema, buffers and, where there is a best, its params and buffers. */
  lengths: z.array(z.int().min(0)).min(5).max(7),
});

/** The bytes of a state; `specDigest` ties them to the RunSpec that made it. */
export function encodeCheckpoint(progress: Progress, specDigest: string): Uint8Array<ArrayBuffer> {
  const { state, epoch, best, seconds } = progress;
  const { params, m, v, ema, buffers } = state;
  const arrays = [params, m, v, ema, buffers, ...(best ? [best.params, best.buffers] : [])];
  const header: z.infer<typeof Header> = {
    formatVersion: 3,
    specDigest,
    step: state.step,
    epoch,
    seconds,
    best: best && { score: best.score, epoch: best.epoch },
    lengths: arrays.map((array) => array.length),
  };
  const json = new TextEncoder().encode(JSON.stringify(header));
  const start = 4 + Math.ceil(json.byteLength / 4) * 4;
  const bytes = new Uint8Array(start + arrays.reduce((sum, array) => sum + array.byteLength, 0)).fill(32, 4, start);
  new DataView(bytes.buffer).setUint32(0, start - 4, true);
  bytes.set(json, 4);
  let at = start;
  for (const array of arrays) {
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), at);
    at += array.byteLength;
  }
  return bytes;
}

/** Reads a checkpoint. @throws Error when it is not whole or belongs to another RunSpec. */
export function decodeCheckpoint(source: Uint8Array, specDigest: string): Progress {
  const bytes = new Uint8Array(source); // aligned, and of its own
  const length = bytes.byteLength < 4 ? Number.NaN : new DataView(bytes.buffer).getUint32(0, true);
  if (!(4 + length <= bytes.byteLength)) throw new Error('checkpoint: the header is cut off');
  const header = Header.parse(JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length))));
  if (header.specDigest !== specDigest)
    throw new Error(`checkpoint: it belongs to RunSpec ${header.specDigest}, this run's is ${specDigest}`);
  const expected = 4 + length + 4 * header.lengths.reduce((sum, n) => sum + n, 0);
  if (bytes.byteLength !== expected) throw new Error(`checkpoint: expected ${expected} bytes, got ${bytes.byteLength}`);
  let at = 4 + length;
  const [params, m, v, ema, buffers, ...best] = header.lengths.map((n) => {
    const array = new Float32Array(bytes.buffer, at, n);
    at += array.byteLength;
    return array;
  });
  if (!params || !m || !v || !ema || !buffers) throw new Error('checkpoint: an array is missing');
  return {
    state: { params, m, v, ema, buffers, step: header.step },
    epoch: header.epoch,
    seconds: header.seconds,
    best: header.best && { ...weightsFrom(best), ...header.best },
  };
}

function weightsFrom([params, buffers]: readonly Float32Array[]): Weights {
  if (!params || !buffers) throw new Error('checkpoint: the best weights are missing');
  return { params, buffers };
}
