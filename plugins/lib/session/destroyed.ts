/** A hundred bytes each. */
const MAX = 10_000

/** The keys of the sessions that this process destroyed lately: the oldest are forgotten first. */
export class DestroyedSessions {
  readonly #keys = new Set<string>()

  constructor(private readonly max = MAX) {}

  note(key: string): void {
    this.#keys.add(key)
    for (const oldest of this.#keys) {
      if (this.#keys.size <= this.max) return
      this.#keys.delete(oldest)
    }
  }

  has(key: string): boolean {
    return this.#keys.has(key)
  }
}
