import type { MaybePromise, SignInRef } from '../contract.js'
import type { StateStore } from '../stores/contract.js'
import { UNKNOWN_REVISION } from '../stores/rules.js'
import type { SignIns } from './contract.js'

/** Liveness by a store, which may be an application's own. */
export function livenessOf(
  store: Pick<StateStore, 'isLive' | 'revision'>,
): Pick<SignIns, 'isLive' | 'revision'> {
  return {
    isLive(ref) {
      const live = store.isLive(ref)
      // A driver may have its own kind of promise. It is not a `Promise`, and a mode would take it for `true`.
      return typeof live === 'boolean' ? live : Promise.resolve(live)
    },
    revision() {
      const revision: unknown = store.revision?.()
      return typeof revision === 'number' ? revision : UNKNOWN_REVISION
    },
  }
}

/**
 * Whether a sign-in is live while an answer is written. A store's reply may be outdated by a moment. If this process
 * has ended the sign-in since then, it knows that without a lookup, and answers false.
 * @throws STORE_UNAVAILABLE
 */
export function isLiveNow(signIns: Pick<SignIns, 'isLive'>, ref: SignInRef): MaybePromise<boolean> {
  const live = signIns.isLive(ref)
  return live instanceof Promise ? live.then((is) => is && !isEndedHere(signIns, ref)) : live
}

/** Whether a sign-in is known to have ended, without waiting for a store. */
export function isEndedHere(signIns: Pick<SignIns, 'isLive'>, ref: SignInRef): boolean {
  const live = signIns.isLive(ref)
  if (!(live instanceof Promise)) return !live
  // The question to the store goes on, and its answer is ignored.
  live.catch(() => {})
  return false
}
