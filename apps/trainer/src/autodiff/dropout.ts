/**
 * Dropout's mask without a generator: a hash of each element's place and the step's seed, so that a resumed run drops
 * the same elements, on every engine. INT32 addition and multiplication only, which wrap around everywhere; shifts and
 * exclusive or are missing on WebGPU.
 */
import type { Value } from '../ir/builder.ts';
import { GraphError } from '../ir/errors.ts';
import * as op from '../ir/ops.ts';
import { lengthsOf } from './rule.ts';

/** Odd numbers without a pattern: Weyl's, then those of MurmurHash3 (https://github.com/aappleby/smhasher). */
const [WEYL, FIRST, SECOND] = [0x9e3779b1 | 0, 0x85ebca6b | 0, 0xc2b2ae35 | 0];

/** 0 with probability `rate`, else 1/(1-rate), in the shape of x; `seed` is an INT32 scalar, another one each step. */
export function dropoutMask(x: Value, rate: number, seed: Value): Value {
  if (!(rate >= 0 && rate < 1)) throw new GraphError(`dropout: the rate must be in [0, 1); it is ${rate}`);
  const lowest = Math.round(rate * 2 ** 32 - 2 ** 31); // hashes are uniform in [-2^31, 2^31)
  const kept = op.Less(hashed(x, seed), Math.min(2 ** 31 - 1, lowest));
  return op.Where(kept, x.graph.constant(x.type, [], [0]), x.graph.constant(x.type, [], [1 / (1 - rate)]));
}

/** An INT32 for each element of x. */
function hashed(x: Value, seed: Value): Value {
  const lengths = lengthsOf(x);
  let stride = 1;
  const strides = lengths.map(() => 1);
  for (let axis = lengths.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= lengths[axis] ?? 1;
  }
  // The place times Weyl's factor, axis by axis: a constant as large as the mask would double the file.
  const parts = lengths.map((length, axis) => {
    const shape = lengths.map((_, other) => (other === axis ? length : 1));
    const factor = Math.imul(strides[axis] ?? 1, WEYL);
    return x.graph.constant(
      'INT32',
      shape,
      Int32Array.from({ length }, (_, at) => Math.imul(at, factor)),
    );
  });
  // Small parts first, so that only the last sum has the size of x.
  const start = op.Add(mixed(seed), mixed(op.Add(op.Mul(seed, SECOND), FIRST)));
  const place = parts.reduce((sum, part) => op.Add(sum, part), start);
  return mixed(op.Add(op.Mul(mixed(place), FIRST), SECOND));
}

/** h (2h + 1) mod 2^32, a permutation whose high bits depend on all lower ones (RC6, Rivest et al. 1998). */
function mixed(h: Value): Value {
  return op.Mul(h, op.Add(op.Mul(h, 2), 1));
}
