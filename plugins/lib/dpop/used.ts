import type { MaybePromise } from '../contract.js'
import { endOfBucket } from './nonces.js'

/**
 * `fresh`: the proof was not used before. `spent`: it was. `late`: its nonce has expired. `full`: the memory has no
 * room for another proof.
 */
export type Spending = 'fresh' | 'spent' | 'late' | 'full'

/** Remembers the proofs that were used. */
export interface UsedProofs {
  /**
   * Notes the use of a proof. Of several calls with one id, one gets `fresh`.
   * @param id names the proof and its key
   * @param bucket of the proof's nonce
   * @param now in ms
   * @throws STORE_UNAVAILABLE
   */
  spend(id: string, bucket: number, now: number): MaybePromise<Spending>
}

/**
 * Remembers used proofs until their nonces expire. It never forgets one early: when it is full, it refuses new ones.
 * Each instance has its own memory.
 */
export class MemoryOfUse implements UsedProofs {
  /** Used proofs by the bucket of their nonce. */
  readonly #buckets = new Map<number, Set<string>>()
  /** The proofs of this bucket, and of all buckets before it, are forgotten. */
  #forgotten = Number.NEGATIVE_INFINITY
  #size = 0

  /** @param max the most proofs that are remembered */
  constructor(private readonly max: number) {}

  /** The number of remembered proofs. */
  get size(): number {
    return this.#size
  }

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

/** Asks the store: no instance accepts a proof that another one has accepted. */
export class StoreOfUse implements UsedProofs {
  /** @param spendOnce of the store */
  constructor(private readonly spendOnce: (id: string, until: number, now: number) => Promise<boolean>) {}

  async spend(id: string, bucket: number, now: number): Promise<Spending> {
    const until = endOfBucket(bucket)
    if (now >= until) return 'late'
    return (await this.spendOnce(id, until, now)) ? 'fresh' : 'spent'
  }
}
