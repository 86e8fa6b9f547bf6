import type { Revocation } from '../stores/redis-revocations.js'

/** How long a revocation is kept in mind, in ms: longer than sentinels need to take an old primary out of use. */
const RECENT_FOR = 60_000
const MAX = 10_000
/** A script that writes more would keep Redis from everybody else. */
const BATCH = 500

interface Noted {
  readonly revocation: Revocation
  /** On the monotonic clock. */
  readonly at: number
}

/**
 * What this process has revoked lately. In a failover the old primary may have stored what the new one
 * does not know, and processes that start later learn of it from the new one alone.
 */
export class RecentRevocations {
  /** By member, the oldest first. */
  readonly #noted = new Map<string, Noted>()

  note(revocation: Revocation): void {
    const [member] = revocation
    this.#noted.delete(member)
    this.#noted.set(member, { revocation, at: performance.now() })
    for (const [oldest, { at }] of this.#noted) {
      if (this.#noted.size <= MAX && performance.now() - at < RECENT_FOR) return
      this.#noted.delete(oldest)
    }
  }

  /** All of them, a few hundred at a time. */
  *batches(): Generator<readonly Revocation[]> {
    const all = [...this.#noted.values()].filter(({ at }) => performance.now() - at < RECENT_FOR)
    for (let start = 0; start < all.length; start += BATCH) {
      yield all.slice(start, start + BATCH).map(({ revocation }) => revocation)
    }
  }
}
