/** Metric points on their way to the API: batched, in order, never in the way of training. */
import type { MetricPoint } from '../worker/operations.ts';
import { Aside } from './aside.ts';

/** At most two writes a second: live enough for a curve, cheap enough for a thousand runs. */
const INTERVAL_MS = 500;
/** Points per write; a fast run makes thousands in half a second. */
const MAX_POINTS = 500;

/** Collects points and writes them in the background. A refused write surfaces at the next `add` or at `flush`. */
export class MetricReport {
  readonly #write: (points: MetricPoint[]) => Promise<void>;
  readonly #aside = new Aside();
  #waiting: MetricPoint[] = [];
  #lastWriteAt = Number.NEGATIVE_INFINITY;

  constructor(write: (points: MetricPoint[]) => Promise<void>) {
    this.#write = write;
  }

  /** Takes points of one step; null values (undefined metrics) are left out. */
  add(step: number, values: Record<string, number | null>): void {
    this.#aside.check();
    for (const [name, value] of Object.entries(values)) if (value !== null) this.#waiting.push({ name, step, value });
    if (!this.#aside.busy && performance.now() - this.#lastWriteAt >= INTERVAL_MS) this.#begin();
  }

  /** Settles when everything is written; points may be added meanwhile. */
  async flush(): Promise<void> {
    while (this.#aside.busy || this.#waiting.length > 0) {
      if (!this.#aside.busy) this.#begin();
      await this.#aside.settle();
    }
    this.#aside.check();
  }

  #begin(): void {
    const points = this.#waiting.splice(0, MAX_POINTS);
    this.#lastWriteAt = performance.now();
    this.#aside.begin(() => this.#write(points));
  }
}
