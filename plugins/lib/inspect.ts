import type { Clock, MaybePromise } from './contract.js'
import { type CookiePayload, openCookie } from './cookie/seal.js'
import type { KeyRing } from './credentials/keys.js'
import { SessionRecords, type StoredSession } from './session/records.js'
import type { StateStore } from './stores/contract.js'

/*
 * Says what a credential holds, for a page or a command that shows it. Nothing here changes anything, and
 * nothing here decides whether a request is let in: that a credential opens does not mean that it is live.
 */

export type { CookieReading, CookieSpec } from './http/cookies.js'
export { cookieSpec, readCookie } from './http/cookies.js'
export type { CookiePayload, KeyRing, StoredSession }

/** What an auth cookie's value says, expired or not, or null when none of our keys signed it. */
export function openAuthCookie(ring: KeyRing, value: string): CookiePayload | null {
  return openCookie(ring.purpose('cookie'), value)
}

/** Where sessions are, and which keys open them. */
export interface SessionPlace {
  readonly store: StateStore
  readonly ring: KeyRing
  readonly clock: Clock
}

/**
 * The session under a key, as `SignInRecord.sessionKey` names it. Null when there is none, when it is past a
 * limit, or when it does not open.
 * @throws STORE_UNAVAILABLE
 */
export function readSession(
  { store, ring, clock }: SessionPlace,
  key: string,
): MaybePromise<StoredSession | null> {
  // Reading checks no size: 0 refuses every write.
  return new SessionRecords(store, ring.purpose('session-data'), 0, clock).read(key)
}
