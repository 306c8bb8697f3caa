/** Training engine against edge, row by row. Pure; knows no engine. */
import type { Parity } from '@anneal/api/contract';
import type { Manifest } from '@anneal/edge/contract';
import { JobFailure } from '../failure.ts';

/** |a-b| <= tolerance + tolerance |b|: what two runtimes' float32 kernels may differ by. */
export const TOLERANCE = 1e-4;
/** The same where a GPU, which fuses and reorders more, or another library than the edge's is the reference. */
export const COARSE_TOLERANCE = 1e-3;
const COARSE: readonly string[] = ['ORT_WEBGPU', 'ORT_CUDA', 'TFJS'];

/** What the edge may differ by from this engine. */
export function toleranceOf(engine: string): number {
  return COARSE.includes(engine) ? COARSE_TOLERANCE : TOLERANCE;
}

/** Float32 keeps 24 bits: a value far from zero cannot be compared more finely than by its last two. */
const FLOAT32_STEP = 2 ** -22;

/** The same rows by both: the edge is judged, the training engine is the reference. */
export interface Sides {
  engine: string;
  /** [rows * width] */
  edge: ArrayLike<number>;
  trained: ArrayLike<number>;
}

/**
 * Probabilities within the tolerance, and the same label wherever the tolerance could not flip it. @throws JobFailure
 */
export function compareClasses(
  sides: Sides,
  labels: { edge: ArrayLike<number>; trained: ArrayLike<number> },
  manifest: Pick<Manifest, 'classes' | 'positiveClass' | 'threshold'>,
): Parity {
  const rows = labels.edge.length;
  const width = manifest.classes?.length ?? 1;
  const maxAbsDiff = largestDifference(sides, width, 0);
  let same = 0;
  for (let row = 0; row < rows; row++) {
    const [edge, trained] = [labels.edge[row], labels.trained[row]];
    if (edge === trained) same++;
    else if (margin(sides.trained, row, manifest) > 2 * allowed(sides, 1))
      throw disagreement(sides, `row ${row}: the edge says class ${edge}, the training engine class ${trained}`);
  }
  return parity(sides, rows, maxAbsDiff, rows > 0 ? same / rows : null);
}

/** Values on the standardised scale, as the network said them. @throws JobFailure */
export function compareValues(sides: Sides, restore: { center: number; scale: number }): Parity {
  const standardised = (values: ArrayLike<number>) =>
    Float64Array.from(values, (value) => (value - restore.center) / restore.scale);
  const far = Array.from(sides.trained).reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  const z = { ...sides, edge: standardised(sides.edge), trained: standardised(sides.trained) };
  const maxAbsDiff = largestDifference(z, 1, (FLOAT32_STEP * far) / restore.scale);
  return parity(sides, sides.edge.length, maxAbsDiff, null);
}

function largestDifference(sides: Sides, width: number, slack: number): number {
  const { edge, trained } = sides;
  let largest = 0;
  for (let i = 0; i < trained.length; i++) {
    const [a, b] = [edge[i] ?? Number.NaN, trained[i] ?? Number.NaN];
    const difference = Math.abs(a - b);
    // Written so that NaN is a difference.
    if (!(difference <= allowed(sides, b) + slack))
      throw disagreement(sides, `row ${Math.floor(i / width)}: the edge says ${a}, the training engine ${b}`);
    largest = Math.max(largest, difference);
  }
  return largest;
}

function allowed({ engine }: Sides, reference: number): number {
  return toleranceOf(engine) * (1 + Math.abs(reference));
}

/** How far a row is from another label: from the threshold, or from the second largest probability. */
function margin(
  probabilities: ArrayLike<number>,
  row: number,
  { classes, positiveClass, threshold }: Pick<Manifest, 'classes' | 'positiveClass' | 'threshold'>,
): number {
  const width = classes?.length ?? 1;
  const own = Array.from({ length: width }, (_, k) => probabilities[row * width + k] ?? Number.NaN);
  if (threshold !== null) return Math.abs((own[classes?.indexOf(positiveClass ?? '') ?? 0] ?? Number.NaN) - threshold);
  const [first = Number.NaN, second = Number.NaN] = own.sort((a, b) => b - a);
  return first - second;
}

function parity({ engine }: Sides, rows: number, maxAbsDiff: number, labelAgreement: number | null): Parity {
  return { engine, rows, maxAbsDiff, tolerance: toleranceOf(engine), labelAgreement };
}

function disagreement({ engine }: Sides, where: string): JobFailure {
  const bound = `${toleranceOf(engine)} + ${toleranceOf(engine)}|b|`;
  const message = `Edge and training engine disagree beyond ${bound}: held-out ${where}. Nothing was published.`;
  return new JobFailure('PARITY_FAILED', message);
}
