import type { Counters } from './counters.js'
import {
  keepFor,
  type LimitRule,
  overRound,
  packRound,
  type Round,
  roundAfter,
  roundAt,
  secondsUntilOpen,
  unpackRound,
} from './rounds.js'

/** An attempt that is counted as failed until something better is known. Each is settled once. */
export interface Reservation {
  /** It did fail, at `now` (ms): what follows a failure begins. */
  fail(now: number): Promise<void>
  /** It was none. */
  giveBack(): Promise<void>
  /** Whoever made it is who they say: what failed before is forgotten. */
  reset(): Promise<void>
}

/** No attempt is left for so many seconds. */
export interface Refusal {
  readonly retryAfter: number
}

export function isRefusal(outcome: Reservation | Refusal): outcome is Refusal {
  return 'retryAfter' in outcome
}

/**
 * Takes one attempt of a subject, before anything is verified: of any number at once, over any number of
 * processes that share the counters, no more than the rule allows get one. Rejects on a store's fault.
 * @param now in ms
 */
export async function reserve(
  counters: Counters,
  rule: LimitRule,
  subject: string,
  now: number,
): Promise<Reservation | Refusal> {
  const seen = await counters.read(subject)
  const { round, isNew } = roundAt(seen, rule, now)
  const refusal = { retryAfter: secondsUntilOpen(round, rule, now) }
  if (round.level > 0 && now < round.time * 1000) return refusal
  const taken = new Taken({ counters, rule, subject, seen, round, isNew })
  return (await taken.take()) ? taken : refusal
}

interface Context {
  readonly counters: Counters
  readonly rule: LimitRule
  readonly subject: string
  /** What was stored when the attempt was taken. */
  readonly seen: number
  readonly round: Round
  readonly isNew: boolean
}

class Taken implements Reservation {
  readonly #context: Context
  readonly #counter: string
  readonly #most: number
  #count = 0

  constructor(context: Context) {
    const { rule, subject, round } = context
    this.#context = context
    this.#counter = `${subject}:${round.number}`
    this.#most = round.level > 0 ? 1 : rule.limit
  }

  /** Counted first and judged by what the count is then. What is refused is taken off again, and no attempt. */
  async take(): Promise<boolean> {
    this.#count = await this.#add(1)
    if (this.#count <= this.#most) return true
    await this.#add(-1)
    return false
  }

  async fail(now: number): Promise<void> {
    const { rule, round, isNew } = this.#context
    const isLast = rule.delays !== null && this.#count === this.#most
    if (!isLast && !isNew) return
    const current = await this.#read()
    if (!this.#isUnderWay(current)) return
    if (isLast && rule.delays) await this.#write(roundAfter(round, rule.delays, now))
    else if (current === this.#context.seen) await this.#write(round)
  }

  async giveBack(): Promise<void> {
    await this.#add(-1)
  }

  async reset(): Promise<void> {
    await this.giveBack()
    const { seen, isNew } = this.#context
    const current = await this.#read()
    const isBegun = !isNew || current !== seen
    if (isBegun && current !== 0) await this.#write(overRound(unpackRound(current)))
  }

  /** Neither reset nor followed by another since the attempt was taken. */
  #isUnderWay(current: number): boolean {
    if (current === this.#context.seen) return true
    const { number, level, time } = unpackRound(current)
    const { round } = this.#context
    return number === round.number && level === round.level && time > 0
  }

  #add(points: 1 | -1): Promise<number> {
    const { counters, rule, round } = this.#context
    return counters.add(this.#counter, points, keepFor(rule, round).counter)
  }

  #read(): Promise<number> {
    return this.#context.counters.read(this.#context.subject)
  }

  #write(round: Round): Promise<void> {
    const { counters, rule, subject } = this.#context
    return counters.write(subject, packRound(round), keepFor(rule, round).round)
  }
}
