import { type Place, type Refusal, type Reservation, Taken } from './reservation.js'
import { keepFor, type LimitRule, roundAt, secondsUntilOpen } from './rounds.js'
import type { Steps } from './steps.js'

export type { Refusal, Reservation } from './reservation.js'

export function isRefusal(outcome: Reservation | Refusal): outcome is Refusal {
  return 'retryAfter' in outcome
}

/**
 * Takes one attempt of a subject, before anything is verified. No more than the rule allows succeed, however many ask at
 * once in however many processes. Rejects on a store's fault.
 * @param now in ms
 */
export function reserve(
  steps: Steps,
  rule: LimitRule,
  subject: string,
  now: number,
): Promise<Reservation | Refusal> {
  return onStored(steps, subject, async (seen) => {
    const place = placeAt(seen, rule, subject, now)
    const { counter, most, keep, refusal } = place
    const { stored, count } = await steps.take({ subject, seen, counter, most, keep })
    const isLast = count === most
    const taken = new Taken({ ...place, steps, rule, subject, seen, isLast })
    return { stored, outcome: count === null ? refusal : taken }
  })
}

/**
 * Whether the subject has an attempt left. Takes nothing, so parallel callers all get the same answer.
 * @param now in ms
 * @returns null if it has
 */
export function findRefusal(
  steps: Steps,
  rule: LimitRule,
  subject: string,
  now: number,
): Promise<Refusal | null> {
  return onStored(steps, subject, async (seen) => {
    const { counter, most, refusal } = placeAt(seen, rule, subject, now)
    const { stored, count } = await steps.look(subject, counter)
    return { stored, outcome: count < most ? null : refusal }
  })
}

function placeAt(stored: number, rule: LimitRule, subject: string, now: number): Place {
  const { round, isNew } = roundAt(stored, rule, now)
  const isClosed = round.level > 0 && now < round.time * 1000
  const open = round.level > 0 ? 1 : rule.limit
  return {
    round,
    isNew,
    counter: `${subject}:${round.number}`,
    most: isClosed ? 0 : open,
    keep: keepFor(rule, round).counter,
    refusal: { retryAfter: secondsUntilOpen(round, rule, now) },
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
