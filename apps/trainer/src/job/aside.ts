/** Work beside the training: one piece at a time, in the background, failing loudly but later. */

/** What a piece throws surfaces at the next `check` or `settle`, where the training can still stop in order. */
export class Aside {
  #work: Promise<void> | null = null;
  #failure: { error: unknown } | null = null;

  get busy(): boolean {
    return this.#work !== null;
  }

  /** Starts a piece; the caller has seen that nothing is under way. */
  begin(work: () => Promise<void>): void {
    this.#work = work()
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#work = null;
      });
  }

  check(): void {
    if (this.#failure) throw this.#failure.error;
  }

  async settle(): Promise<void> {
    await this.#work;
    this.check();
  }
}
