/**
 * Floats of 16, 8 and 4 bits <-> numbers. All are sign, exponent, mantissa with a hidden one; what differs is the
 * widths, the bias, and which patterns mean infinity and NaN. https://onnx.ai/onnx/technical/float8.html
 */

/** How a format writes what is not finite. */
type Special =
  /** Infinity and NaN have the highest exponent; too large becomes infinity. */
  | 'IEEE'
  /** The same patterns, but too large becomes the largest finite number, as ONNX casts do. */
  | 'IEEE_SATURATING'
  /** No infinity; NaN is all ones; too large becomes the largest finite number. */
  | 'FN'
  /** As FN, but NaN is what would be -0, which is absent. */
  | 'FNUZ'
  /** Neither infinity nor NaN: NaN becomes the largest number. */
  | 'FINITE';

/** One format. */
export interface SmallFloat {
  readonly exponent: number;
  readonly mantissa: number;
  readonly bias: number;
  readonly special: Special;
}

/** The formats that ONNX has. */
export const SMALL_FLOATS = {
  FLOAT16: { exponent: 5, mantissa: 10, bias: 15, special: 'IEEE' },
  BFLOAT16: { exponent: 8, mantissa: 7, bias: 127, special: 'IEEE' },
  FLOAT8E4M3FN: { exponent: 4, mantissa: 3, bias: 7, special: 'FN' },
  FLOAT8E4M3FNUZ: { exponent: 4, mantissa: 3, bias: 8, special: 'FNUZ' },
  FLOAT8E5M2: { exponent: 5, mantissa: 2, bias: 15, special: 'IEEE_SATURATING' },
  FLOAT8E5M2FNUZ: { exponent: 5, mantissa: 2, bias: 16, special: 'FNUZ' },
  FLOAT4E2M1: { exponent: 2, mantissa: 1, bias: 1, special: 'FINITE' },
} as const satisfies Record<string, SmallFloat>;

/** The number that these bits mean. */
export function decodeSmall(format: SmallFloat, bits: number): number {
  const { exponent, mantissa, bias, special } = format;
  const sign = (bits >>> (exponent + mantissa)) & 1 ? -1 : 1;
  const top = 2 ** exponent - 1;
  const e = (bits >>> mantissa) & top;
  const m = bits & (2 ** mantissa - 1);
  if (special === 'FNUZ' && sign < 0 && e === 0 && m === 0) return Number.NaN;
  if (special === 'FN' && e === top && m === 2 ** mantissa - 1) return Number.NaN;
  if (special.startsWith('IEEE') && e === top) return m === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (e === 0) return sign * m * 2 ** (1 - bias - mantissa);
  return sign * (1 + m / 2 ** mantissa) * 2 ** (e - bias);
}

/** The bits of the nearest number that the format has; ties go to the even one. */
export function encodeSmall(format: SmallFloat, value: number): number {
  const { exponent, mantissa, bias, special } = format;
  const signBit = 2 ** (exponent + mantissa);
  const infinity = (2 ** exponent - 1) * 2 ** mantissa;
  // Patterns of positive numbers are in the order of the numbers, so the largest finite one is next to the special one.
  const largest = special.startsWith('IEEE') ? infinity - 1 : special === 'FN' ? signBit - 2 : signBit - 1;
  if (Number.isNaN(value)) {
    if (special === 'FINITE') return largest;
    if (special === 'FNUZ') return signBit;
    return special === 'FN' ? signBit - 1 : infinity + 2 ** (mantissa - 1);
  }
  const size = Math.abs(value);
  const sign = value < 0 || Object.is(value, -0) ? signBit : 0;
  const rounded = Number.isFinite(size) ? nearest(size, mantissa, bias) : Number.POSITIVE_INFINITY;
  const bits = rounded > largest ? (special === 'IEEE' ? infinity : largest) : rounded;
  return special === 'FNUZ' && bits === 0 ? 0 : sign + bits;
}

/** Exponent and mantissa of a finite number as if the exponent had no upper end. */
function nearest(size: number, mantissa: number, bias: number): number {
  // Below the smallest normal number the step stays what it is there.
  const e = Math.max(size === 0 ? 1 - bias : exponentOf(size), 1 - bias);
  const steps = size / 2 ** (e - mantissa); // in [2^mantissa, 2^(mantissa+1)) for normal numbers; exact
  const floor = Math.floor(steps);
  const rest = steps - floor;
  const whole = rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
  return (e + bias - 1) * 2 ** mantissa + whole; // the hidden one in `whole` adds the missing 1 to the exponent
}

const scratch = new DataView(new ArrayBuffer(8));

/** floor(log2(size)) without the rounding of Math.log2; numbers below 2^-1022 are far below every format here. */
function exponentOf(size: number): number {
  scratch.setFloat64(0, size);
  return ((scratch.getUint32(0) >>> 20) & 0x7ff) - 1023;
}
