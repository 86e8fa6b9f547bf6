import { endOfBucket } from './nonces.js'

/**
 * `fresh`: the proof was not used before. `spent`: it was. `late`: its nonce is over. `full`: the memory has no room, so
 * nobody can tell.
 */
export type Spending = 'fresh' | 'spent' | 'late' | 'full'

/**
 * Remembers used proofs until their nonces are over. It never forgets one early: when it is full, it refuses new ones.
 * Other instances have memories of their own.
 */
export class ReplayMemory {
  /** Used proofs by the bucket of their nonce. */
  readonly #buckets = new Map<number, Set<string>>()
  /** Proofs of this bucket and of those before are forgotten. */
  #forgotten = Number.NEGATIVE_INFINITY
  #size = 0

  /** @param max the most proofs that are remembered */
  constructor(private readonly max: number) {}

  /** The number of remembered proofs. */
  get size(): number {
    return this.#size
  }

  /**
   * @param id names the proof and its key
   * @param now in ms
   */
  spend(id: string, bucket: number, now: number): Spending {
    this.#forget(now)
    // The clock may have been set back to a bucket that was forgotten.
    if (now >= endOfBucket(bucket) || bucket <= this.#forgotten) return 'late'
    const used = this.#buckets.get(bucket)
    if (used?.has(id)) return 'spent'
    if (this.#size >= this.max) return 'full'
    if (used) used.add(id)
    else this.#buckets.set(bucket, new Set([id]))
    this.#size += 1
    return 'fresh'
  }

  #forget(now: number): void {
    for (const [bucket, used] of this.#buckets) {
      if (now < endOfBucket(bucket)) continue
      this.#buckets.delete(bucket)
      this.#size -= used.size
      this.#forgotten = Math.max(this.#forgotten, bucket)
    }
  }
}
