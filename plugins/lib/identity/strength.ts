import type { Clock, GivenFactor, Identity, MaybePromise } from '../contract.js'
import { heldSince, passwordAt, TWO_FACTORS, weightOf } from '../credentials/given-factors.js'
import { FactorRequired, SignInTooOld } from '../errors.js'
import type { GuardRules } from './guard-options.js'

/** The decorator `app.secondFactors`. Guards with `fresh` ask it. */
export interface SecondFactors {
  /** Whether the account has a second factor. */
  has(accountId: string): Promise<boolean>
}

type Rules = Pick<GuardRules, 'factors' | 'ageMax'>

/** An identity without factors counts as one factor, given at `authTime`. Only an API key has neither. */
function factorsOf({ factors, authTime }: Identity): readonly GivenFactor[] {
  return factors ?? (typeof authTime === 'number' ? passwordAt(authTime) : [])
}

/** RFC 9470 §3. The client can step up or sign in again, and repeat the request. */
function challengeOf({ ageMax }: Rules, weight: number): string {
  const age = ageMax === null ? '' : `, max_age="${Math.floor(ageMax / 1000)}"`
  const references = weight > 1 ? `, acr_values="${TWO_FACTORS}"` : ''
  return `Bearer error="insufficient_user_authentication"${age}${references}`
}

function refuse(error: Error, rules: Rules, weight: number): never {
  throw Object.assign(error, { headers: { 'www-authenticate': challengeOf(rules, weight) } })
}

/** Times are in ms. False for a time that is no number, or too far in the future. */
function isRecent(factors: readonly GivenFactor[], weight: number, ageMax: number, now: number): boolean {
  const since = heldSince(factors, weight)
  return since !== null && Math.abs(now - since) <= ageMax
}

/**
 * Refuses a caller whose sign-in has too few factors, or too old ones. Returns a promise only if a guard with `fresh` must
 * look up whether the account has a second factor.
 * @param secondFactors null if the application has none
 * @throws FACTOR_REQUIRED, SIGN_IN_TOO_OLD, both with the challenge of RFC 9470
 */
export function requireStrength(
  identity: Identity,
  rules: Rules,
  secondFactors: SecondFactors | null,
  clock: Clock,
): MaybePromise<void> {
  const { factors: wanted, ageMax } = rules
  const factors = factorsOf(identity)
  if (wanted !== null && weightOf(factors) < wanted) refuse(new FactorRequired(), rules, wanted)
  if (ageMax === null) return
  const now = clock()
  if (isRecent(factors, 2, ageMax, now)) return
  const judge = (weight: number) => {
    if (weight > 1 && weightOf(factors) < weight) refuse(new FactorRequired(), rules, weight)
    if (!isRecent(factors, weight, ageMax, now)) refuse(new SignInTooOld(), rules, weight)
  }
  // Nothing makes an API key recent.
  if (wanted === 2 || secondFactors === null || factors.length === 0) return judge(wanted ?? 1)
  // The application may return its own kind of promise. The guard waits only for a real `Promise`.
  return Promise.resolve(secondFactors.has(identity.accountId)).then((has) => judge(has ? 2 : 1))
}
