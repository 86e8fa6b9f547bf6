import type { FastifyBaseLogger } from 'fastify'
import type { Clock } from '../../contract.js'
import { Newest } from '../../newest.js'
import { CLOCK_MARGIN } from '../rules.js'

/*
 * An instance whose clock is wrong harms all. It would sweep revocations that others still need. It would issue
 * credentials that live too long, or have already expired. So each instance compares its clock with Redis' clock,
 * several times a second and without an extra round trip. The heartbeats that it adds tell the others the difference.
 */

/**
 * `agrees`: within the margin. Beyond it, the clock that is wrong: `own` if others agree with Redis, `redis` if all
 * others differ from it in the same way, `unclear` if no other instance is known.
 */
export type ClockVerdict = 'agrees' | 'own' | 'redis' | 'unclear'

export interface ClockChange {
  readonly verdict: ClockVerdict
  /** How far Redis' clock is ahead of this instance's, in ms. */
  readonly offset: number
}

/** How long the difference of another instance counts, in ms, and for how many instances it is kept. */
const HEARD_FOR = 60_000
const HEARD_MAX = 64

interface Heard {
  readonly offset: number
  /** Monotonic, in ms. */
  readonly at: number
}

export interface RedisClockOptions {
  readonly clock: Clock
  /** Replaces Redis' clock. For tests. */
  readonly referenceClock?: Clock | undefined
}

/** Compares Redis' clock with this instance's. */
export class RedisClock {
  readonly now: Clock
  readonly #reference: Clock | undefined
  readonly #heard = new Newest<string, Heard>(HEARD_MAX)
  readonly #listeners = new Set<(change: ClockChange) => void>()
  #offset: number | null = null
  #verdict: ClockVerdict = 'agrees'

  constructor({ clock, referenceClock }: RedisClockOptions) {
    this.now = clock
    this.#reference = referenceClock
  }

  /** How far Redis' clock is ahead of this instance's, in ms. Null while unknown. */
  get offset(): number | null {
    return this.#offset
  }

  get verdict(): ClockVerdict {
    return this.#verdict
  }

  /** Whether the two differ by more than the margin. */
  get isOff(): boolean {
    return this.#verdict !== 'agrees'
  }

  /**
   * Whether others may have collected revocations that this instance still needs by its own clock. Then it cannot tell
   * which sign-ins are live.
   */
  get isBehind(): boolean {
    return (this.#verdict === 'own' || this.#verdict === 'unclear') && (this.#offset ?? 0) > 0
  }

  /** How far Redis' clock is ahead if the clocks differ (ms). 0 within the margin. */
  get difference(): number {
    return this.isOff ? (this.#offset ?? 0) : 0
  }

  /**
   * Takes in Redis' answer.
   * @param sent when it was asked, by this instance's clock (ms)
   * @param time the answer (ms); null if Redis may not be asked
   */
  compare(sent: number, time: number | null): void {
    const redis = this.#reference?.() ?? time
    if (redis === null) return
    const received = this.now()
    // Redis read its clock at some moment in between.
    const [early, late] = [Math.min(sent, received), Math.max(sent, received)]
    this.#offset = redis > late ? redis - late : Math.min(0, redis - early)
    const differs = Math.abs(this.#offset) > CLOCK_MARGIN
    // What was heard of other instances may be outdated too.
    if (differs !== this.isOff) this.#heard.clear()
    this.#judge()
  }

  /** Takes in how far Redis' clock is ahead of the clock of the instance that sent a heartbeat. */
  hear(beat: string, offset: number): void {
    const instance = beat.slice(0, beat.indexOf(':'))
    this.#heard.set(instance, { offset, at: performance.now() })
    if (this.isOff) this.#judge()
  }

  /** @returns a function that ends the subscription */
  onChange(listener: (change: ClockChange) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  #judge(): void {
    const offset = this.#offset ?? 0
    const verdict = Math.abs(offset) > CLOCK_MARGIN ? this.#blame(offset) : 'agrees'
    if (verdict === this.#verdict) return
    this.#verdict = verdict
    for (const listener of this.#listeners) listener({ verdict, offset })
  }

  #blame(own: number): ClockVerdict {
    const since = performance.now() - HEARD_FOR
    const others = [...this.#heard.values()].filter(({ at }) => at >= since)
    if (others.some(({ offset }) => Math.abs(offset) <= CLOCK_MARGIN)) return 'own'
    const isAlike = ({ offset }: Heard) => Math.abs(offset - own) <= CLOCK_MARGIN
    return others.length > 0 && others.every(isAlike) ? 'redis' : 'unclear'
  }
}

const CONSEQUENCE =
  'nobody can sign in or refresh here, nothing is collected, and this instance is not ready.'

const SENTENCES: Record<Exclude<ClockVerdict, 'agrees'>, string> = {
  own: `The clock of this machine is wrong, for other instances agree with Redis: ${CONSEQUENCE}`,
  redis: `The clock of Redis is wrong, for other instances differ from it as this one does: ${CONSEQUENCE}`,
  unclear: `The clock of this machine, or that of Redis, is wrong: ${CONSEQUENCE}`,
}

/** Logs when the clocks begin to differ, which of them is wrong once that is known, and when they agree again. */
export function tellOfClock(log: Pick<FastifyBaseLogger, 'error' | 'info'>, clock: RedisClock): void {
  const tell = (verdict: ClockVerdict, offset: number) => {
    const details = { redisAheadBySeconds: Math.round(offset / 1000) }
    if (verdict === 'agrees') log.info(details, 'The clock agrees with that of Redis again.')
    else log.error(details, SENTENCES[verdict])
  }
  if (clock.isOff) tell(clock.verdict, clock.difference)
  clock.onChange(({ verdict, offset }) => tell(verdict, offset))
}
