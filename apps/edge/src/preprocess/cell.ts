/** One cell of a row as text: when it is a number. Knows no column and no manifest. */

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/**
 * The number that a trimmed text writes in decimal notation, or undefined: no hex, no "Infinity", no thousands marks.
 */
export function cellNumber(text: string): number | undefined {
  if (!DECIMAL.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}
