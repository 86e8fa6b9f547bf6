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
import type { Steps } from './steps.js'

/** An attempt that counts as failed until it is settled, once. */
export interface Reservation {
  /** The number of failures in a row, if this attempt fails too. */
  readonly failures: number
  /** The attempt failed, at `now` (ms). The last failure of a round starts the delay. */
  fail(now: number): Promise<void>
  /** It does not count as an attempt. */
  giveBack(): Promise<void>
  /** The caller gave the right password, so earlier failures are forgotten. */
  reset(): Promise<void>
}

/** No attempt is left. `retryAfter` is in seconds. */
export interface Wait {
  readonly retryAfter: number
}

export function isWait(outcome: Reservation | Wait): outcome is Wait {
  return 'retryAfter' in outcome
}

/** One subject under one rule. */
export interface Limited {
  readonly rule: LimitRule
  /** Names the counter, without revealing the username or address that it was made from. */
  readonly subject: string
}

/** Where a subject's attempt is counted at `now` (ms), by the number that was stored. */
function placeAt(seen: number, { rule, subject }: Limited, now: number) {
  const { round, isNew } = roundAt(seen, rule, now)
  const isClosed = round.level > 0 && now < round.time * 1000
  const open = round.level > 0 ? 1 : rule.limit
  return {
    seen,
    round,
    isNew,
    counter: `${subject}:${round.number}`,
    /** How many attempts are allowed. */
    most: isClosed ? 0 : open,
    /** How long the counter is kept, in seconds. */
    keep: keepFor(rule, round).counter,
    wait: { retryAfter: secondsUntilOpen(round, rule, now) },
  }
}

/**
 * Takes one attempt of a subject, before anything is verified. No more than the rule allows succeed, however many ask at
 * once in however many processes. Rejects on a store's fault.
 * @param now in ms
 */
export function reserve(steps: Steps, limited: Limited, now: number): Promise<Reservation | Wait> {
  const { subject } = limited
  return onStored(steps, subject, async (seen) => {
    const place = placeAt(seen, limited, now)
    const { stored, count } = await steps.take({ subject, ...place })
    return { stored, outcome: count === null ? place.wait : new Taken(steps, limited, place, count) }
  })
}

/**
 * Whether the subject has an attempt left. Takes nothing, so parallel callers all get the same answer.
 * @param now in ms
 * @returns null if it has
 */
export function findWait(steps: Steps, limited: Limited, now: number): Promise<Wait | null> {
  return onStored(steps, limited.subject, async (seen) => {
    const { counter, most, wait } = placeAt(seen, limited, now)
    const { stored, count } = await steps.look(limited.subject, counter)
    return { stored, outcome: count < most ? null : wait }
  })
}

/** Forgets the subject's failures. Rejects on a store's fault. */
export async function forget(steps: Steps, { rule, subject }: Limited): Promise<void> {
  // Compares with the stored round and not with `expect`, which is only a guess. The counter's name does not matter here.
  const { stored } = await steps.look(subject, `${subject}:0`)
  await follow(steps, { rule, subject }, stored, over)
}

/** The stored round, marked as over. A subject without a round has no failures. */
function over(current: number): Round | null {
  return current === 0 ? null : overRound(unpackRound(current))
}

/** Writes the round that follows the stored one. If the stored one changed meanwhile, decides again. */
async function follow(
  steps: Steps,
  { rule, subject }: Limited,
  expected: number,
  decide: (current: number) => Round | null,
): Promise<void> {
  for (let current = expected; ; ) {
    const next = decide(current)
    if (next === null || packRound(next) === current) return
    const stored = await steps.replace(subject, current, packRound(next), keepFor(rule, next).round)
    if (stored === current) return
    current = stored
  }
}

/** Asks with the expected number; if another one is stored, asks again with that. */
async function onStored<T>(
  steps: Steps,
  subject: string,
  ask: (seen: number) => Promise<{ readonly stored: number; readonly outcome: T }>,
): Promise<T> {
  for (let seen = steps.expect(subject); ; ) {
    const { stored, outcome } = await ask(seen)
    if (stored === seen) return outcome
    seen = stored
  }
}

class Taken implements Reservation {
  constructor(
    private readonly steps: Steps,
    private readonly limited: Limited,
    private readonly place: ReturnType<typeof placeAt>,
    /** The counter's value, including this attempt. */
    private readonly count: number,
  ) {}

  get failures(): number {
    const { level } = this.place.round
    return level === 0 ? this.count : this.limited.rule.limit + level
  }

  async fail(now: number): Promise<void> {
    const { seen, round, isNew, most } = this.place
    const { delays } = this.limited.rule
    const closing = this.count === most && delays !== null ? roundAfter(round, delays, now) : null
    if (!closing && !isNew) return
    await follow(this.steps, this.limited, seen, (current) => {
      if (!this.#isUnderWay(current)) return null
      return closing ?? (current === seen ? round : null)
    })
  }

  async giveBack(): Promise<void> {
    await this.steps.release(this.limited.subject, this.place.counter)
  }

  async reset(): Promise<void> {
    const { seen, isNew, counter } = this.place
    const found = await this.steps.release(this.limited.subject, counter)
    await follow(this.steps, this.limited, found, (current) => {
      const isBegun = !isNew || current !== seen
      return isBegun ? over(current) : null
    })
  }

  /** Whether the round was neither reset nor followed by another since the attempt was taken. */
  #isUnderWay(current: number): boolean {
    const { seen, round } = this.place
    if (current === seen) return true
    const { number, level, time } = unpackRound(current)
    return number === round.number && level === round.level && time > 0
  }
}
