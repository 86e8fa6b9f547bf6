/** How much is too much. Durations are in seconds. */
export interface LimitRule {
  /** Failures in `window`, counted from the first. */
  readonly limit: number
  readonly window: number
  /** What follows the last of them; null where nothing does but the rest of the window. */
  readonly delays: Delays | null
}

/** Before each further attempt: `first`, doubled with each failure up to `longest`. */
export interface Delays {
  readonly first: number
  readonly longest: number
  /** After so long without an attempt that was open to anybody, all is forgotten. */
  readonly forget: number
}

/** Where a subject of counting stands. */
export interface Round {
  /** Counts up. Each round's attempts are counted apart, so that what belongs to an old one changes nothing. */
  readonly number: number
  /** 0: open to `limit` attempts. Above: open to a single one, behind so many delays. */
  readonly level: number
  /** When it began; above level 0 when its attempt may be made. In seconds since 1970; 0 for a round that is over. */
  readonly time: number
}

/** Far more than come about while a counter is kept. */
const NUMBERS = 2 ** 14
const LEVELS = 2 ** 5

/** As one whole number, below 2^53 for the next centuries, so that a store reads and writes it in one step. */
export function packRound({ number, level, time }: Round): number {
  return (time * NUMBERS + (number % NUMBERS)) * LEVELS + Math.min(level, LEVELS - 1)
}

export function unpackRound(packed: number): Round {
  const rest = Math.floor(packed / LEVELS)
  return { number: rest % NUMBERS, level: packed % LEVELS, time: Math.floor(rest / NUMBERS) }
}

/** In seconds. */
export function delayAt({ first, longest }: Delays, level: number): number {
  return Math.min(first * 2 ** (level - 1), longest)
}

/** In seconds since 1970. */
function endOf({ level, time }: Round, { window, delays }: LimitRule): number {
  return time + (level > 0 && delays ? delays.forget : window)
}

/**
 * By how much the clock that wrote a round may have been ahead of ours, in seconds. One that was wrong by a day would
 * lock out for a day after it was put right; and a process whose clock is behind must not find every round over.
 */
const AHEAD_MAX = 3600

function isFarAhead({ time }: Round, { delays }: LimitRule, now: number): boolean {
  return time > now / 1000 + (delays?.longest ?? 0) + AHEAD_MAX
}

/**
 * The round at `now` (ms): the stored one, or the next where that is over. Whoever finds it over comes to the same
 * next one, however many look at once.
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

/** What follows a failure that closed the round, at `now` (ms). */
export function roundAfter({ number, level }: Round, delays: Delays, now: number): Round {
  const time = Math.ceil(now / 1000) + delayAt(delays, level + 1)
  return { number: (number % (NUMBERS - 1)) + 1, level: level + 1, time }
}

/** The same round as over: what is tried next belongs to another. */
export function overRound({ number }: Round): Round {
  return { number, level: 0, time: 0 }
}

/** How long a round that has no attempt left refuses, in whole seconds. */
export function secondsUntilOpen(round: Round, { window, delays }: LimitRule, now: number): number {
  const windowEnd = round.time + window - Math.floor(now / 1000)
  if (!delays) return Math.max(windowEnd, 1)
  if (round.level === 0) return Math.max(Math.min(windowEnd, delays.first), 1)
  const wait = Math.ceil(round.time - now / 1000)
  return wait > 0 ? wait : delayAt(delays, round.level + 1)
}

/**
 * How long counters of a round, and the round itself, are worth keeping. A minute for clocks that disagree. A round
 * outlives its counters, so that none of them is found by one that begins the numbers anew; where it has no delays
 * yet not by much, for whoever tries a name once leaves one.
 */
export function keepFor({ window, delays }: LimitRule, { level }: Round): { counter: number; round: number } {
  if (level === 0 || !delays)
    return { counter: window + 60, round: Math.max(window, delays?.longest ?? 0) + 120 }
  // Of a single attempt's: should its process die under it, the next one's turn comes after the next delay.
  return { counter: delayAt(delays, level + 1), round: window + 120 + delays.longest + delays.forget }
}
