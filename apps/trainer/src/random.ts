/**
 * Seeded random numbers: xoshiro128** (Blackman and Vigna, https://prng.di.unimi.it/xoshiro128starstar.c), seeded
 * through SplitMix-style mixing. Pure: the same seed and stream give the same numbers on every machine.
 */

/** One stream of numbers. Streams of the same seed are independent, so that no generator's state has to be stored. */
export class Random {
  readonly #state: Uint32Array;

  /** The stream of this name: `Random.from(7, 'shuffle/3')` is epoch 3's order, whatever was drawn before. */
  static from(seed: number, stream: string): Random {
    if (!Number.isSafeInteger(seed) || seed < 0) throw new RangeError(`seed ${seed}: expected an integer of 0 or more`);
    let mixed = 0x9e3779b9;
    const absorb = (word: number) => {
      mixed = mix((mixed ^ word) + 0x9e3779b9);
    };
    absorb(seed >>> 0);
    absorb(Math.floor(seed / 0x100000000));
    for (let index = 0; index < stream.length; index++) absorb(stream.charCodeAt(index));
    absorb(stream.length);
    const state = Uint32Array.from({ length: 4 }, () => {
      mixed = (mixed + 0x9e3779b9) | 0;
      return mix(mixed);
    });
    return Random.ofState(state);
  }

  /** The generator from four words of state, as its definition has it. */
  static ofState(state: Uint32Array): Random {
    return new Random(state.slice());
  }

  private constructor(state: Uint32Array) {
    this.#state = state;
    if (state.every((word) => word === 0)) state[0] = 1; // the one state that the generator can not leave
  }

  /** 32 random bits. */
  bits(): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.#state;
    const scrambled = Math.imul(b, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9) >>> 0;
    const [c2, d2] = [c ^ a, d ^ b];
    this.#state[0] = a ^ d2;
    this.#state[1] = b ^ c2;
    this.#state[2] = c2 ^ (b << 9);
    this.#state[3] = (d2 << 11) | (d2 >>> 21);
    return result;
  }

  /** A number in [0, 1) with all 53 bits of a double. */
  float(): number {
    return ((this.bits() >>> 5) * 0x4000000 + (this.bits() >>> 6)) / 0x20000000000000;
  }

  /** A number in [low, high). */
  uniform(low: number, high: number): number {
    return low + (high - low) * this.float();
  }

  /**
   * A standard normal number, by Marsaglia's polar method (the second one is not kept: a stream has no hidden state).
   */
  normal(): number {
    for (;;) {
      const [x, y] = [this.uniform(-1, 1), this.uniform(-1, 1)];
      const square = x * x + y * y;
      if (square > 0 && square < 1) return x * Math.sqrt((-2 * Math.log(square)) / square);
    }
  }

  /** An integer in [0, below), each equally likely; below <= 2^32. */
  int(below: number): number {
    if (!Number.isInteger(below) || below < 1 || below > 0x100000000)
      throw new RangeError(`int(${below}): expected an integer in [1, 2^32]`);
    const even = 0x100000000 - (0x100000000 % below); // above it some remainders would come once more than others
    for (;;) {
      const bits = this.bits();
      if (bits < even) return bits % below;
    }
  }

  /** 0 .. length-1 in random order (Fisher-Yates). */
  permutation(length: number): Uint32Array<ArrayBuffer> {
    const order = Uint32Array.from({ length }, (_, index) => index);
    for (let last = length - 1; last > 0; last--) {
      const other = this.int(last + 1);
      const swapped = order[last] ?? 0;
      order[last] = order[other] ?? 0;
      order[other] = swapped;
    }
    return order;
  }
}

/** Finaliser of MurmurHash3: every input bit moves every output bit. */
function mix(word: number): number {
  let bits = word | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
