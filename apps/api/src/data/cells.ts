/** What one cell's text means: missing, a number, or text. The single place that decides it. */

/** Cell texts, after trimming and renaming, that mean "no value" beside the empty text. */
export const MISSING_VALUES: readonly string[] = ['?', 'NA', 'N/A', 'NaN', 'nan', 'null', 'NULL', 'None'];

const MISSING = new Set(MISSING_VALUES);

/** Whether a trimmed cell has no value. */
export function isMissing(text: string): boolean {
  return text.length <= 4 && (text.length === 0 || MISSING.has(text));
}

/**
 * The number that a trimmed, non-empty cell is, or NaN: decimal notation only, so ".28", "1e5" and "+3" are numbers
 * and "0x10", "1,234" and "Infinity" are not.
 */
export function toNumber(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && !isRadixLiteral(text)) return value;
  return Number.NaN;
}

// Number() also reads 0x, 0o and 0b; a plain zero is followed by a digit, a point or an exponent.
function isRadixLiteral(text: string): boolean {
  if (text.charCodeAt(0) !== 48) return false;
  const second = text.charCodeAt(1) | 32;
  return second === 120 || second === 111 || second === 98;
}

/** Whether a number is written without point and exponent. Identifiers are, measurements often are not. */
export function isIntegerText(text: string): boolean {
  return /^[+-]?\d+$/.test(text);
}

/** Order of texts by Unicode code point: the same on every machine, unlike a locale's. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = rank(a.charCodeAt(i)) - rank(b.charCodeAt(i));
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

// UTF-16 puts surrogates (code points above 0xFFFF) below 0xE000..0xFFFF; lift them.
const rank = (unit: number) => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit);

/** A cell's text as it may stand in a message: quoted and cut. */
export function show(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
