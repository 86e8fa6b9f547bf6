/** From when to when a cookie lives, in seconds. */
export interface CookieLife {
  readonly iat: number
  readonly exp: number
}

interface Renewal {
  /** In ms. */
  readonly at: number
  /** Null: there was nothing to renew. */
  readonly life: CookieLife | null
}

/** How long a renewal does for all who ask for it, in ms. */
const SERVES_FOR = 60_000
const MAX = 100_000

/**
 * What became of the latest renewals, by sign-in: of a client that goes on sending the old cookie (a script, many
 * tabs at once) each request would be one. Some 150 bytes each; beyond the bound the oldest go, and their sign-ins
 * are renewed anew.
 */
export class RecentRenewals {
  readonly #max: number
  /** The oldest comes first. */
  readonly #renewals = new Map<string, Renewal>()

  constructor(max = MAX) {
    this.#max = max
  }

  note(signInId: string, life: CookieLife | null, at: number): void {
    this.#renewals.delete(signInId)
    this.#renewals.set(signInId, { at, life })
    for (const oldest of this.#renewals.keys()) {
      if (this.#renewals.size <= this.#max) return
      this.#renewals.delete(oldest)
    }
  }

  /** Undefined where none was noted in the last minute, nor in the next one, should the clock have been set back. */
  recall(signInId: string, now: number): CookieLife | null | undefined {
    const renewal = this.#renewals.get(signInId)
    return renewal && Math.abs(now - renewal.at) < SERVES_FOR ? renewal.life : undefined
  }
}
