import type { GivenFactor } from '../contract.js'
import { mergeFactors, readFactors, writeFactors } from '../credentials/given-factors.js'
import type { SessionSignIn } from './content.js'

/*
 * A step-up gives a session a new id: the same random part, followed by the number of step-ups. The random part names the
 * record, so data, sign-in and binding stay. The old id works a little longer without the new factors, because other
 * requests of the browser may still use it.
 */

/** How long the old id works, in ms. */
const OLD_ID_FOR = 10_000

/** The factors and the expiry of one id of a session. */
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

/** Null for an old id that has expired. */
export function strengthOf(signIn: SessionSignIn, step: number, now: number): Strength | null {
  const { fac, old } = signIn
  if (step === stepOf(signIn)) return { fac, until: Number.POSITIVE_INFINITY }
  const isOld = old !== undefined && step === stepOf(signIn) - 1 && now < old.until
  return isOld ? { fac: old.fac, until: old.until } : null
}

/** Whether `own` has every factor of `others`, each at least as recent. */
function cover(own: readonly GivenFactor[], others: readonly GivenFactor[]): boolean {
  return others.every(({ method, at }) => own.some((factor) => factor.method === method && factor.at >= at))
}

/**
 * The session's sign-in after a step-up with the id of this step. The new id has the factors of that id and the given
 * ones. It does not get factors that another id has got meanwhile: two different people may hold the two ids.
 *
 * If two requests of one browser step up at once, the second one already has an old id. If it gave the same factors, it
 * gets the id of the first one. So the order of the two answers makes no difference.
 * @returns null for an id that has expired; the same object if nothing changes
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
