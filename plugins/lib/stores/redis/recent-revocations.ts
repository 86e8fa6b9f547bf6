import type { Revocation } from '../../revocation/revocation.js'

/** The minimum time for which a revocation is remembered, in ms. Sentinels need less to replace an old primary. */
const RECENT_FOR = 60_000
/** The size of each half. */
const MAX = 5000
/** A script that writes more would block Redis for too long. */
const BATCH = 500

type Noted = Map<string, Revocation>

/**
 * The recent revocations of this process. A failover may lose revocations that only the old primary has stored. Kept in
 * two halves: when the younger one is full or old, the older one is dropped.
 */
export class RecentRevocations {
  #young: Noted = new Map()
  #old: Noted = new Map()
  #turnedAt = performance.now()

  note(revocation: Revocation): void {
    if (this.#young.size >= MAX || performance.now() - this.#turnedAt >= RECENT_FOR) {
      this.#old = this.#young
      this.#young = new Map()
      this.#turnedAt = performance.now()
    }
    this.#young.set(revocation[0], revocation)
  }

  /** Drops revocations that are kept until `upTo` at most (ms since 1970). */
  sweep(upTo: number): void {
    for (const noted of [this.#young, this.#old]) {
      for (const [member, [, score, keep]] of noted) {
        if (upTo >= (keep === '' ? score : keep)) noted.delete(member)
      }
    }
  }

  /** All revocations, a few hundred at a time, without those that are dropped meanwhile. */
  *batches(): Generator<readonly Revocation[]> {
    const all = [...new Map([...this.#old, ...this.#young]).values()]
    const isNoted = ([member]: Revocation) => this.#young.has(member) || this.#old.has(member)
    for (let start = 0; start < all.length; start += BATCH) {
      yield all.slice(start, start + BATCH).filter(isNoted)
    }
  }
}
