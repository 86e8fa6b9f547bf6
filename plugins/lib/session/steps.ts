import type { GivenFactor } from '../contract.js'
import { mergeFactors, readFactors, writeFactors } from '../credentials/given-factors.js'
import type { SessionSignIn } from './content.js'

/*
 * A step-up gives a session a new id: the same random part, and the number of the step behind it. The random part names
 * the record, so that data, sign-in and binding stay. The id from before works a little longer, with its old strength,
 * because other requests of the browser may be under way with it.
 */

/** In ms. */
export const OLD_ID_FOR = 10_000

/** What an id of a session is good for. */
export interface Strength {
  /** See writeFactors. */
  readonly fac: string | undefined
  /** In ms. */
  readonly until: number
}

/** The step of the session's newest id. */
export function stepOf(signIn: SessionSignIn | null): number {
  return signIn?.step ?? 0
}

/** Null for an id that has been replaced for too long. */
export function strengthOf(signIn: SessionSignIn, step: number, now: number): Strength | null {
  const { fac, old } = signIn
  if (step === stepOf(signIn)) return { fac, until: Number.POSITIVE_INFINITY }
  const isOld = old !== undefined && step === stepOf(signIn) - 1 && now < old.until
  return isOld ? { fac: old.fac, until: old.until } : null
}

/** Whether somebody with these factors has given all of the others too, and at least as recently. */
function cover(own: readonly GivenFactor[], others: readonly GivenFactor[]): boolean {
  return others.every(({ method, at }) => own.some((factor) => factor.method === method && factor.at >= at))
}

/**
 * The sign-in after a step-up by the id of this step. The new id has the factors of that id and the given ones, and not
 * those that another id has got meanwhile: the two may be in different hands.
 *
 * If two requests of one browser step up at once, the second has an old id already. If it has given the same factors, it
 * gets the id of the first: which answer the browser reads last then makes no difference.
 * @returns null for an id that is over; the same object if nothing is to change
 */
export function steppedUp(
  signIn: SessionSignIn,
  step: number,
  given: readonly GivenFactor[],
  now: number,
): SessionSignIn | null {
  const strength = strengthOf(signIn, step, now)
  if (!strength) return null
  const { fac: current, old: _old, ...rest } = signIn
  const { auth_time } = rest
  const own = mergeFactors(readFactors(strength.fac, auth_time), given)
  const isSecond = step !== stepOf(signIn)
  if (isSecond && cover(own, readFactors(current, auth_time))) return signIn
  const fac = writeFactors(own, auth_time)
  return {
    ...rest,
    ...(fac === undefined ? {} : { fac }),
    step: stepOf(signIn) + 1,
    old: { until: now + OLD_ID_FOR, ...(current === undefined ? {} : { fac: current }) },
  }
}
