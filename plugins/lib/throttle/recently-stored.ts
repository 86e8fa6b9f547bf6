/** A hundred bytes each. */
const MAX = 10_000

/**
 * What was stored under names of late, where it was anything. A guess at what is there now, which whoever uses it has
 * confirmed: a wrong one costs a second question, and nothing else.
 */
export class RecentlyStored {
  /** The oldest comes first. */
  readonly #values = new Map<string, number>()

  constructor(private readonly max = MAX) {}

  note(name: string, value: number): void {
    this.#values.delete(name)
    if (value === 0) return
    this.#values.set(name, value)
    for (const oldest of this.#values.keys()) {
      if (this.#values.size <= this.max) return
      this.#values.delete(oldest)
    }
  }

  /** 0 where nothing is known. */
  recall(name: string): number {
    return this.#values.get(name) ?? 0
  }
}
