import { randomBytes } from 'node:crypto'
import { Newest } from '../../newest.js'

/** How often this process asks for the newest heartbeat, in ms, plus or minus the jitter. */
const ASK_INTERVAL = 320
/** With the jitter, instances take turns in adding a heartbeat. */
const JITTER = 40
/**
 * The age of the newest heartbeat at which a new one is added, in ms. So the fleet adds three in two seconds, however
 * many instances ask.
 */
export const BEAT_INTERVAL = 650
/** How long a heartbeat that came back vouches for the copy, in ms, counted from its question. */
export const FRESH_FOR = 750

/** Older questions can no longer vouch for anything. */
const ASKED_MAX = 8
/** The number of recent heartbeats to remember. After a revocation, each asking instance may add one. */
const COME_MAX = 512

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

/*
 * The proof. On the command connection, this process asks Redis for the *last* heartbeat in the feed; at that moment
 * nothing is behind it. Once exactly that entry (its name is random) has come through the feed, this process has applied
 * everything written before the question was *sent*, whichever instance wrote it. Redis' clock takes no part: if it
 * jumps, heartbeats only become more or less frequent.
 *
 * The delay of a fault. A copy is trusted for FRESH_FOR after the question whose answer vouches for it. So this process
 * refuses a credential that was revoked elsewhere at most 750 ms after the revoker's answer, whatever breaks. Each
 * question after the revocation finds or adds a heartbeat behind it, and that heartbeat counts only when it has come
 * through the feed, after the revocation. A feed that stands still is noticed even if nobody revokes: some instance
 * adds a heartbeat BEAT_INTERVAL after the last one, and that heartbeat does not come. Normally the next question
 * follows within 360 ms, which leaves 390 ms for an answer and its heartbeat.
 */

/** When to ask next, in ms. */
export function askDelay(): number {
  return ASK_INTERVAL + JITTER * (2 * Math.random() - 1)
}

/**
 * The heartbeats that this process knows. Their age is checked at each use. So a process that was suspended, or whose
 * event loop was blocked, trusts nothing when it continues. Two clocks are needed: on a suspended machine the monotonic
 * clock may stop, and the wall clock may be set back.
 */
export class Heartbeat {
  readonly #clocks: Clocks
  readonly #nonce = randomBytes(12).toString('base64url')
  /** Open questions, by the name that a new heartbeat would get. */
  readonly #asked = new Newest<string, Times>(ASKED_MAX)
  /** Heartbeats that have not come yet, and when they were asked for. */
  readonly #awaited = new Newest<string, Times>(ASKED_MAX)
  readonly #come = new Newest<string, true>(COME_MAX)
  #count = 0
  #newest: Times | null = null

  constructor(clocks: Clocks = CLOCKS) {
    this.#clocks = clocks
  }

  /** The name for the heartbeat that Redis adds if the last one is too old. */
  next(): string {
    this.#count++
    const name = `${this.#nonce}:${this.#count}`
    this.#asked.set(name, { monotonic: this.#clocks.monotonic(), wall: this.#clocks.wall() })
    return name
  }

  /** Whether this process added it. */
  isOwn(name: string): boolean {
    return name.startsWith(`${this.#nonce}:`)
  }

  /**
   * Notes an answer.
   * @param asked the name that went with the question
   * @param last the name of the heartbeat that was last in the feed
   */
  answered(asked: string, last: string): void {
    const times = this.#asked.get(asked)
    if (!times) return
    // If Redis has just added this heartbeat, its arrival will show how long the feed takes.
    if (asked !== last) this.#asked.delete(asked)
    if (this.#come.has(last)) this.#vouch(times)
    else this.#awaited.set(last, times)
  }

  /**
   * Notes a heartbeat that came through the feed.
   * @returns how long it took, in ms; null if another process added it
   */
  arrived(name: string): number | null {
    this.#come.set(name, true)
    const times = this.#awaited.get(name)
    if (times) {
      this.#awaited.delete(name)
      this.#vouch(times)
    }
    const sent = this.#asked.get(name)
    return sent ? this.#clocks.monotonic() - sent.monotonic : null
  }

  /** Trusts nothing until a later question is vouched for. */
  forget(): void {
    this.#newest = null
    for (const known of [this.#asked, this.#awaited, this.#come]) known.clear()
  }

  isFresh(): boolean {
    if (!this.#newest) return false
    const { monotonic, wall } = this.#newest
    return this.#clocks.monotonic() - monotonic < FRESH_FOR && this.#clocks.wall() - wall < FRESH_FOR
  }

  #vouch(times: Times): void {
    if (!this.#newest || times.monotonic > this.#newest.monotonic) this.#newest = times
  }
}
