/**
 * How far what is asked differs from what was trained on, from counts per bin alone. Pure.
 *
 * PSI: N. Siddiqi, "Credit Risk Scorecards" (2006); the bounds 0.1 and 0.25 are the customary ones of E. Lewis, "An
 * Introduction to Credit Scoring" (1994). What PSI chance makes: B. Yurdakul, J. Naranjo, "Statistical properties of
 * the population stability index" (2020): of equals, PSI / (1/n + 1/m) is about a chi-square variable.
 * Jensen-Shannon distance: D. Endres, J. Schindelin, "A new metric for probability distributions" (2003).
 * Chi-square test of homogeneity: K. Pearson (1900), with W. Cochran's rule (1954) that cells want 5 expected rows.
 */
import { chiSquareTail } from './gamma.ts';

/** From this PSI on a column has drifted, and from that on far. */
export const MODERATE_PSI = 0.1;
export const MAJOR_PSI = 0.25;
/** A PSI that chance alone makes at least so often is none: of few rows every PSI is large. */
export const CHANCE = 0.01;
/** Cells with fewer expected rows are tested together, as one. */
const MIN_EXPECTED = 5;
/** A share of 0 has no logarithm: an empty bin is taken for half a row. */
const EMPTY = 0.5;

export type Severity = 'NONE' | 'MODERATE' | 'MAJOR';

/** A column's rows: `n` in all, of which `missing` have no value and the others stand in the bins. */
export interface BinCounts {
  n: number;
  missing: number;
  counts: readonly number[];
}

export interface ChiSquare {
  statistic: number;
  degreesOfFreedom: number;
  pValue: number;
}

/** Two distributions over the same bins compared; null where there is nothing to compare. */
export interface Difference {
  psi: number | null;
  jensenShannon: number | null;
  chiSquare: ChiSquare | null;
  severity: Severity | null;
}

/** Compares the rows of training with those that were asked; rows without a value are a bin of their own. */
export function differenceOf(expected: BinCounts, observed: BinCounts): Difference {
  const [a, b] = [
    [...expected.counts, expected.missing],
    [...observed.counts, observed.missing],
  ];
  const psi = populationStability(a, b);
  const chance = psi === null ? 1 : psiChance(psi, a, b);
  return { psi, jensenShannon: jensenShannon(a, b), chiSquare: chiSquare(a, b), severity: severityOf(psi, chance) };
}

/** By the PSI, unless chance alone makes such a one. */
export function severityOf(psi: number | null, chance: number): Severity | null {
  if (psi === null) return null;
  if (psi < MODERATE_PSI || chance >= CHANCE) return 'NONE';
  return psi < MAJOR_PSI ? 'MODERATE' : 'MAJOR';
}

/** How often samples of these sizes of one distribution have such a PSI, about. */
function psiChance(psi: number, a: readonly number[], b: readonly number[]): number {
  const bins = a.filter((count, i) => count + (b[i] ?? 0) > 0).length;
  return bins < 2 ? 1 : chiSquareTail(psi / (1 / sum(a) + 1 / sum(b)), bins - 1);
}

/** Sum of (b - a) ln(b / a) over the bins' shares; 0 = equal. Bins that are empty in both do not count. */
export function populationStability(a: readonly number[], b: readonly number[]): number | null {
  const shares = sharesOf(a, b, EMPTY);
  if (!shares) return null;
  return shares.reduce((sum, [p, q]) => sum + (q - p) * Math.log(q / p), 0);
}

/** Root of the Jensen-Shannon divergence in bits: 0 = equal, 1 = nothing in common. */
export function jensenShannon(a: readonly number[], b: readonly number[]): number | null {
  const shares = sharesOf(a, b, 0);
  if (!shares) return null;
  const bits = (p: number, m: number) => (p === 0 ? 0 : p * Math.log2(p / m));
  const divergence = shares.reduce((sum, [p, q]) => sum + bits(p, (p + q) / 2) / 2 + bits(q, (p + q) / 2) / 2, 0);
  return Math.sqrt(Math.min(1, Math.max(0, divergence))); // rounding
}

/** Whether both samples may be of one distribution; null where fewer than two cells have enough rows. */
export function chiSquare(a: readonly number[], b: readonly number[]): ChiSquare | null {
  const [totalA, totalB] = [sum(a), sum(b)];
  const total = totalA + totalB;
  if (totalA === 0 || totalB === 0) return null;
  const smaller = Math.min(totalA, totalB) / total;
  const cells = pooled(
    a.map((count, i): Cell => [count, b[i] ?? 0]),
    ([x, y]) => (x + y) * smaller >= MIN_EXPECTED,
  );
  if (cells.length < 2) return null;
  let statistic = 0;
  for (const [x, y] of cells) {
    const [forA, forB] = [((x + y) * totalA) / total, ((x + y) * totalB) / total];
    statistic += (x - forA) ** 2 / forA + (y - forB) ** 2 / forB;
  }
  const degreesOfFreedom = cells.length - 1;
  return { statistic, degreesOfFreedom, pValue: chiSquareTail(statistic, degreesOfFreedom) };
}

type Cell = [number, number];
const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);

/** Small cells become one: never part of a large one, which could hide what is new. */
function pooled(cells: Cell[], isLarge: (cell: Cell) => boolean): Cell[] {
  const rest = cells
    .filter((cell) => !isLarge(cell))
    .reduce<Cell>(([x, y], cell) => [x + cell[0], y + cell[1]], [0, 0]);
  return [...cells.filter(isLarge), ...(rest[0] + rest[1] > 0 ? [rest] : [])];
}

/** Pairs of shares, without bins that are empty in both; null where a side has no rows. */
function sharesOf(a: readonly number[], b: readonly number[], empty: number): Cell[] | null {
  const [totalA, totalB] = [sum(a), sum(b)];
  if (totalA === 0 || totalB === 0) return null;
  const share = (count: number, total: number) => (count === 0 ? empty : count) / total;
  return a.flatMap((count, i): Cell[] => {
    const other = b[i] ?? 0;
    return count === 0 && other === 0 ? [] : [[share(count, totalA), share(other, totalB)]];
  });
}
