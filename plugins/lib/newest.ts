/** A map that keeps the `max` keys that were set last. */
export class Newest<Key, Value> extends Map<Key, Value> {
  constructor(readonly max: number) {
    super()
  }

  override set(key: Key, value: Value): this {
    this.delete(key)
    super.set(key, value)
    for (const oldest of this.keys()) {
      if (this.size <= this.max) break
      this.delete(oldest)
    }
    return this
  }
}
