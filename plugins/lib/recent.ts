/** Values by name, up to a bound. Beyond it, the names that were noted longest ago are forgotten. */
export class Recent<V> {
  /** The oldest comes first. */
  readonly #values = new Map<string, V>()

  constructor(private readonly max: number) {}

  note(name: string, value: V): void {
    this.#values.delete(name)
    this.#values.set(name, value)
    for (const oldest of this.#values.keys()) {
      if (this.#values.size <= this.max) return
      this.#values.delete(oldest)
    }
  }

  recall(name: string): V | undefined {
    return this.#values.get(name)
  }
}
