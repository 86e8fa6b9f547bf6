/** One limit. Durations are in seconds. */
export interface LimitRule {
  /** Failures in `window`, counted from the first. */
  readonly limit: number
  readonly window: number
  /** The delays after the last allowed failure; null: wait for the end of the window. */
  readonly delays: Delays | null
}

/** Before each further attempt: `first`, doubled with each failure up to `longest`. */
export interface Delays {
  readonly first: number
  readonly longest: number
  /** The failures are forgotten if an attempt has been allowed for this long and nobody has made one. */
  readonly forget: number
}

/** The state of a subject. */
export interface Round {
  /** Counts up. Each round has its own counter, so late attempts of an old round change nothing. */
  readonly number: number
  /** 0: open to `limit` attempts. Above 0: open to a single one, after that many delays. */
  readonly level: number
  /** When it began; above level 0, when its attempt is allowed. In seconds since 1970; 0 if the round is over. */
  readonly time: number
}

/** Far more rounds than can begin while a counter is kept. */
const NUMBERS = 2 ** 14
const LEVELS = 2 ** 5

/** Packs a round into one whole number, below 2^53 for centuries, so that a store handles it in one step. */
export function packRound({ number, level, time }: Round): number {
  return (time * NUMBERS + (number % NUMBERS)) * LEVELS + Math.min(level, LEVELS - 1)
}

export function unpackRound(packed: number): Round {
  const rest = Math.floor(packed / LEVELS)
  return { number: rest % NUMBERS, level: packed % LEVELS, time: Math.floor(rest / NUMBERS) }
}

/** In seconds. */
function delayAt({ first, longest }: Delays, level: number): number {
  return Math.min(first * 2 ** (level - 1), longest)
}

/** In seconds since 1970. */
function endOf({ level, time }: Round, { window, delays }: LimitRule): number {
  return time + (level > 0 && delays ? delays.forget : window)
}

/**
 * How far ahead the clock that wrote a round may have been, in seconds. Without a bound, a clock that was a day ahead
 * would lock people out for a day after its correction. If nothing were allowed, a slow clock would find every round
 * over.
 */
const AHEAD_MAX = 3600

function isFarAhead({ time }: Round, { delays }: LimitRule, now: number): boolean {
  return time > now / 1000 + (delays?.longest ?? 0) + AHEAD_MAX
}

/**
 * The round at `now` (ms): the stored one, or the next if that is over. All processes that find it over derive the
 * same next round.
 */
export function roundAt(packed: number, rule: LimitRule, now: number): { round: Round; isNew: boolean } {
  const stored = unpackRound(packed)
  const isOver = now >= endOf(stored, rule) * 1000 || stored.time === 0
  if (!isOver && !isFarAhead(stored, rule, now)) return { round: stored, isNew: false }
  return {
    round: { number: (stored.number % (NUMBERS - 1)) + 1, level: 0, time: Math.floor(now / 1000) },
    isNew: true,
  }
}

/** The round after a failure at `now` (ms) that closed this one. */
export function roundAfter({ number, level }: Round, delays: Delays, now: number): Round {
  const time = Math.ceil(now / 1000) + delayAt(delays, level + 1)
  return { number: (number % (NUMBERS - 1)) + 1, level: level + 1, time }
}

/** The same round, marked as over: the next attempt begins another. */
export function overRound({ number }: Round): Round {
  return { number, level: 0, time: 0 }
}

/** How long a round without attempts left refuses, in whole seconds. */
export function secondsUntilOpen(round: Round, { window, delays }: LimitRule, now: number): number {
  const windowEnd = round.time + window - Math.floor(now / 1000)
  if (!delays) return Math.max(windowEnd, 1)
  if (round.level === 0) return Math.max(Math.min(windowEnd, delays.first), 1)
  const wait = Math.ceil(round.time - now / 1000)
  return wait > 0 ? wait : delayAt(delays, round.level + 1)
}

/**
 * How long a round and its counters are kept, in seconds. One minute is added for clocks that disagree. A round outlives
 * its counters, so that a subject that starts again at number 1 finds none of them. Without delays yet it is kept only
 * a little longer, because every name that is tried once leaves a round.
 */
export function keepFor({ window, delays }: LimitRule, { level }: Round): { counter: number; round: number } {
  if (level === 0 || !delays)
    return { counter: window + 60, round: Math.max(window, delays?.longest ?? 0) + 120 }
  // A single attempt's counter: if its process dies, the next attempt is allowed after the next delay.
  return { counter: delayAt(delays, level + 1), round: window + 120 + delays.longest + delays.forget }
}
