/**
 * Hostile bytes for the codec: random ones, and real files with bytes changed, cut, doubled and spliced. Whatever they
 * are, reading must end in a model or an OnnxError, and what was read must be written and read as the same.
 */
import { Random } from '../../random.ts';
import { checkModel } from '../check.ts';
import { decodeModel } from '../decode.ts';
import { encodeModel } from '../encode.ts';
import { OnnxError } from '../errors.ts';
import { sorted } from '../sort.ts';
import { everyAttribute, everyPart, sample } from './samples.ts';

/** How many inputs ended how. */
export interface Outcomes {
  /** Not a file that the reader takes. */
  unreadable: number;
  /** Read, but the checker found it to make no sense. */
  senseless: number;
  /** Read and found to be in order. */
  accepted: number;
  /** Longest time that one input took. */
  slowestMs: number;
}

/** The longest input. */
const MOST_BYTES = 4096;

/** Puts `count` inputs through reader, checker and writer. @throws Error with the input if anything else happens. */
export function fuzz(count: number, seed: number, progress: (done: number) => void = () => {}): Outcomes {
  const random = Random.from(seed, 'fuzz');
  const files = [sample(), everyAttribute(), everyPart()].map(encodeModel);
  const outcomes: Outcomes = { unreadable: 0, senseless: 0, accepted: 0, slowestMs: 0 };
  for (let done = 1; done <= count; done++) {
    const input = random.int(8) === 0 ? noise(random, random.int(MOST_BYTES + 1)) : mutated(random, files);
    const start = performance.now();
    outcomes[verdict(input)]++;
    outcomes.slowestMs = Math.max(outcomes.slowestMs, performance.now() - start);
    if (done % 100_000 === 0) progress(done);
  }
  return outcomes;
}

function verdict(input: Uint8Array): 'unreadable' | 'senseless' | 'accepted' {
  let read = false;
  try {
    const model = decodeModel(input);
    read = true;
    const bytes = encodeModel(model);
    if (!same(encodeModel(decodeModel(bytes)), bytes)) throw new Error('written and read, it is another model');
    checkModel(sorted(model));
    return 'accepted';
  } catch (error) {
    if (error instanceof OnnxError) return read ? 'senseless' : 'unreadable';
    const hex = Array.from(input, (byte) => byte.toString(16).padStart(2, '0')).join('');
    throw new Error(`the codec failed on ${hex}`, { cause: error });
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}

/** A million random bytes, of which random parts are taken: drawing each byte anew was most of the time. */
const POOL = 1 << 20;
let pool: Uint8Array | undefined;

function noise(random: Random, length: number): Uint8Array {
  pool ??= Uint8Array.from({ length: POOL }, () => random.int(256));
  const start = random.int(POOL - length);
  return pool.subarray(start, start + length);
}

function mutated(random: Random, files: readonly Uint8Array[]): Uint8Array {
  let bytes: Uint8Array = pick(random, files).slice();
  for (let edits = 1 + random.int(4); edits > 0; edits--) {
    const at = random.int(bytes.length + 1);
    const end = Math.min(bytes.length, at + random.int(32));
    switch (random.int(8)) {
      case 0:
        bytes[at] = random.int(256);
        break;
      case 1:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random.int(8));
        break;
      case 2: // small changes of lengths, tags and counts are what parsers stumble over
        bytes[at] = (bytes[at] ?? 0) + 1 - 2 * random.int(2);
        break;
      case 3:
        bytes = join(bytes.subarray(0, at), noise(random, random.int(16)), bytes.subarray(at));
        break;
      case 4:
        bytes = join(bytes.subarray(0, at), bytes.subarray(end));
        break;
      case 5:
        bytes = join(bytes.subarray(0, end), bytes.subarray(at));
        break;
      case 6:
        bytes = join(bytes.subarray(0, at), pick(random, files).subarray(at));
        break;
      default: // a varint as large as they get
        bytes.fill(0xff, at, Math.min(end, at + 10));
    }
  }
  return bytes.subarray(0, random.int(10) === 0 ? random.int(bytes.length + 1) : MOST_BYTES);
}

function pick(random: Random, files: readonly Uint8Array[]): Uint8Array {
  return files[random.int(files.length)] ?? new Uint8Array();
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
