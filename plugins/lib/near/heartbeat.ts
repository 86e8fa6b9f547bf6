import { randomBytes } from 'node:crypto'

/** How often a heartbeat is sent, in ms. */
export const BEAT_INTERVAL = 250
/** How long one that came back vouches for what came before it, in ms, counted from when it was sent. */
export const FRESH_FOR = 750

/** Older ones than so many are past vouching for anything. */
const SENT_MAX = 8

interface Times {
  readonly monotonic: number
  readonly wall: number
}

/** Both in ms. */
export interface Clocks {
  monotonic(): number
  wall(): number
}

const CLOCKS: Clocks = { monotonic: () => performance.now(), wall: () => Date.now() }

/**
 * Heartbeats of this process. One that comes back through the feed proves that all that was written before it
 * was *sent* has been taken in. Judged at each use: a process that was suspended, or whose event loop stood
 * still, trusts nothing when it goes on. By two clocks: a suspended machine's monotonic one may stand still, and
 * the wall clock may be set back.
 */
export class Heartbeat {
  readonly #clocks: Clocks
  readonly #nonce = randomBytes(12).toString('base64url')
  readonly #sent = new Map<string, Times>()
  #count = 0
  #newest: Times | null = null

  constructor(clocks: Clocks = CLOCKS) {
    this.#clocks = clocks
  }

  /** Names the heartbeat that is sent now. */
  next(): string {
    this.#count++
    const name = `${this.#nonce}:${this.#count}`
    this.#sent.set(name, { monotonic: this.#clocks.monotonic(), wall: this.#clocks.wall() })
    for (const oldest of this.#sent.keys()) {
      if (this.#sent.size > SENT_MAX) this.#sent.delete(oldest)
    }
    return name
  }

  /**
   * Takes note of one that came back. Those of others, and those given up since, prove nothing to us.
   * @returns how long it was under way, in ms; null for one that proves nothing
   */
  arrived(name: string): number | null {
    const times = this.#sent.get(name)
    if (!times) return null
    this.#newest = times
    // In the order of sending: what was sent before it has come, or never will.
    for (const earlier of this.#sent.keys()) {
      this.#sent.delete(earlier)
      if (earlier === name) break
    }
    return this.#clocks.monotonic() - times.monotonic
  }

  /** Trusts nothing until a heartbeat comes back that is sent from now on. */
  forget(): void {
    this.#newest = null
    this.#sent.clear()
  }

  isFresh(): boolean {
    if (!this.#newest) return false
    const { monotonic, wall } = this.#newest
    return this.#clocks.monotonic() - monotonic < FRESH_FOR && this.#clocks.wall() - wall < FRESH_FOR
  }
}
