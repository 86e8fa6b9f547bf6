import { randomBytes } from 'node:crypto'
import { keepNewest } from '../../newest.js'

/** How often this process asks for the newest heartbeat, in ms, give or take the jitter. */
const ASK_INTERVAL = 250
/** So each instance has its turn to add the heartbeat. */
const JITTER = 40
/** How old the newest one may be before another is added, in ms: some three a second, however many ask. */
export const BEAT_INTERVAL = 300
/** How long one that came back vouches for what came before it, in ms, counted from when it was asked for. */
export const FRESH_FOR = 750

/** Older questions than so many are past vouching for anything. */
const ASKED_MAX = 8
/** Heartbeats that have come lately. Each revocation may bring one for each instance that asks. */
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
 * What a heartbeat proves. Redis is asked for the heartbeat that stands *last* in the feed, on the command connection;
 * at that moment there is nothing behind it. Once that very entry (its name is random) has come through the feed, whoever
 * wrote it, all that was written before the question was *sent* has been taken in. No clock of Redis takes part: one that
 * jumps only makes heartbeats more or less frequent.
 *
 * How soon a fault shows. A copy is trusted for FRESH_FOR after the question whose answer vouches for it. So what is
 * revoked elsewhere is refused here 750 ms after the revoker's answer at the latest, whatever breaks: each later
 * question finds a heartbeat behind the revocation, or adds one, and is vouched for only when both have come. A feed that
 * stands still while nobody revokes shows when the next heartbeat does not come: the first that asks BEAT_INTERVAL after
 * the last adds it. While all is well a question is asked at the latest 290 ms after the last, which leaves an
 * answer and its heartbeat 460 ms on the way.
 */

/** When to ask next, in ms. */
export function askDelay(): number {
  return ASK_INTERVAL + JITTER * (2 * Math.random() - 1)
}

/**
 * Heartbeats as this process knows them. Judged at each use: a process that was suspended, or whose event loop stood
 * still, trusts nothing when it goes on. By two clocks: a suspended machine's monotonic one may stand still, and
 * the wall clock may be set back.
 */
export class Heartbeat {
  readonly #clocks: Clocks
  readonly #nonce = randomBytes(12).toString('base64url')
  /** By the name that a new heartbeat would get. */
  readonly #asked = new Map<string, Times>()
  /** When those were asked for that have not come yet. */
  readonly #awaited = new Map<string, Times>()
  readonly #come = new Map<string, true>()
  #count = 0
  #newest: Times | null = null

  constructor(clocks: Clocks = CLOCKS) {
    this.#clocks = clocks
  }

  /** Names the heartbeat that is added if the one that is asked for now is no longer young. */
  next(): string {
    this.#count++
    const name = `${this.#nonce}:${this.#count}`
    keepNewest(
      this.#asked,
      name,
      { monotonic: this.#clocks.monotonic(), wall: this.#clocks.wall() },
      ASKED_MAX,
    )
    return name
  }

  /** Whether this process added it. */
  isOwn(name: string): boolean {
    return name.startsWith(`${this.#nonce}:`)
  }

  /**
   * Takes note of an answer.
   * @param asked the name that went with the question
   * @param last the name of the heartbeat that stood last in the feed
   */
  answered(asked: string, last: string): void {
    const times = this.#asked.get(asked)
    if (!times) return
    // One that was added now is still to say how long it takes.
    if (asked !== last) this.#asked.delete(asked)
    if (this.#come.has(last)) this.#vouch(times)
    else keepNewest(this.#awaited, last, times, ASKED_MAX)
  }

  /**
   * Takes note of one that came through the feed.
   * @returns how long it was under way, in ms; null where another process added it
   */
  arrived(name: string): number | null {
    keepNewest(this.#come, name, true, COME_MAX)
    const times = this.#awaited.get(name)
    if (times) {
      this.#awaited.delete(name)
      this.#vouch(times)
    }
    const sent = this.#asked.get(name)
    return sent ? this.#clocks.monotonic() - sent.monotonic : null
  }

  /** Trusts nothing until a heartbeat comes that is asked for from now on. */
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
