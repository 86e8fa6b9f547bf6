import type { GivenFactor, Identity } from '../contract.js'
import { SignedOut, StoreUnavailable } from '../errors.js'
import { CACHE_AGE } from '../verified/cache.js'
import { retirementOf } from './cache.js'
import type { SessionSignIn } from './content.js'
import { type SessionCredential, sessionKeyOf } from './cookie.js'
import type { StoredSession } from './records.js'
import { stepOf, steppedUp } from './steps.js'
import type { SessionParts } from './use.js'

/** Each conflict means that another writer succeeded. Only this many parallel writers exhaust the attempts. */
const ATTEMPTS_MAX = 100

/**
 * Adds factors to the session of this id and to its sign-in.
 * @returns the session; its newest id has the factors
 * @throws SIGNED_OUT also for an id that was replaced meanwhile, STORE_UNAVAILABLE
 */
export async function stepUpSession(
  parts: SessionParts,
  { id, step }: SessionCredential,
  caller: Identity,
  given: readonly GivenFactor[],
): Promise<StoredSession> {
  const { records, signIns, clock } = parts
  let isRecorded = false
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const stored = await records.read(sessionKeyOf(id))
    const signIn = stored?.content.signIn
    if (!stored || signIn?.sid !== caller.signInId) throw new SignedOut()
    const next = steppedUp(signIn, step, given, clock())
    isRecorded ||= next !== null && (await signIns.strengthen(caller, given)) !== null
    if (!next || !isRecorded) throw new SignedOut()
    const replaced = next === signIn ? stored : await replace(parts, stored, signIn, next)
    if (replaced === 'gone') throw new SignedOut()
    if (replaced !== 'conflict') return replaced
  }
  throw new StoreUnavailable()
}

/**
 * Every process may have the old id in its cache, without the new expiry. So the revocation list tells them first. If
 * replacing the session then fails, the processes only read its id from the store more often.
 */
async function replace(
  { records, clock }: SessionParts,
  stored: StoredSession,
  signIn: SessionSignIn,
  next: SessionSignIn,
) {
  const retirement = retirementOf(signIn.sid, stepOf(signIn))
  await records.retire(signIn.sub, retirement, clock() + CACHE_AGE)
  return records.replace(stored, { ...stored.content, signIn: next })
}
