import {
  keepFor,
  type LimitRule,
  overRound,
  packRound,
  type Round,
  roundAfter,
  unpackRound,
} from './rounds.js'
import type { Steps } from './steps.js'

/** An attempt that counts as failed until it is settled, once. */
export interface Reservation {
  /** It failed, at `now` (ms). The last one of a round starts the delay. */
  fail(now: number): Promise<void>
  /** It was no attempt. */
  giveBack(): Promise<void>
  /** The caller proved who they are: earlier failures are forgotten. */
  reset(): Promise<void>
}

/** No attempt is left. `retryAfter` is in seconds. */
export interface Refusal {
  readonly retryAfter: number
}

/** Where a subject's attempt is counted now, according to the stored number. */
export interface Place {
  readonly round: Round
  readonly isNew: boolean
  readonly counter: string
  /** How many attempts are let through. */
  readonly most: number
  /** How long the counter is kept, in seconds. */
  readonly keep: number
  /** The refusal of all further attempts. */
  readonly refusal: Refusal
}

interface Context extends Place {
  readonly steps: Steps
  readonly rule: LimitRule
  readonly subject: string
  /** The number that was stored when the attempt was taken. */
  readonly seen: number
  /** Whether it filled the round. */
  readonly isLast: boolean
}

export class Taken implements Reservation {
  constructor(private readonly context: Context) {}

  async fail(now: number): Promise<void> {
    const { rule, seen, round, isNew, isLast } = this.context
    const closing = isLast && rule.delays !== null ? roundAfter(round, rule.delays, now) : null
    if (!closing && !isNew) return
    await this.#replace(seen, (current) => {
      if (!this.#isUnderWay(current)) return null
      return closing ?? (current === seen ? round : null)
    })
  }

  async giveBack(): Promise<void> {
    const { steps, subject, counter } = this.context
    await steps.release(subject, counter)
  }

  async reset(): Promise<void> {
    const { steps, subject, counter, seen, isNew } = this.context
    const found = await steps.release(subject, counter)
    await this.#replace(found, (current) => {
      const isBegun = !isNew || current !== seen
      return isBegun && current !== 0 ? overRound(unpackRound(current)) : null
    })
  }

  /** Whether the round was neither reset nor followed by another since the attempt was taken. */
  #isUnderWay(current: number): boolean {
    if (current === this.context.seen) return true
    const { number, level, time } = unpackRound(current)
    const { round } = this.context
    return number === round.number && level === round.level && time > 0
  }

  /** Writes the round that follows the stored one; decides again if that has changed meanwhile. */
  async #replace(expected: number, follow: (current: number) => Round | null): Promise<void> {
    const { steps, rule, subject } = this.context
    for (let current = expected; ; ) {
      const next = follow(current)
      if (next === null || packRound(next) === current) return
      const stored = await steps.replace(subject, current, packRound(next), keepFor(rule, next).round)
      if (stored === current) return
      current = stored
    }
  }
}
