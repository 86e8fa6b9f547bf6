import type { Clock, MaybePromise } from './contract.js'
import { type CookiePayload, openCookie } from './cookie/seal.js'
import type { KeyRing } from './credentials/keys.js'
import { SessionRecords, type StoredSession } from './session/records.js'
import type { StateStore } from './stores/contract.js'

/*
 * Reads credentials, for a page or a command that shows them. Nothing here changes anything or admits a request: a
 * credential that opens is not necessarily live.
 */

export type { CookieReading, CookieSpec } from './http/cookies.js'
export { cookieSpec, readCookie } from './http/cookies.js'
export type { CookiePayload, KeyRing, StoredSession }

/** The content of an auth cookie's value, expired or not. Null if none of our keys signed it. */
export function openAuthCookie(ring: KeyRing, value: string): CookiePayload | null {
  return openCookie(ring.purpose('cookie'), value)
}

/** The store of the sessions, and the keys that open them. */
export interface SessionPlace {
  readonly store: StateStore
  readonly ring: KeyRing
  readonly clock: Clock
}

/**
 * Reads the session of a `SignInRecord.sessionKey`. Null if there is none, it is past a limit, or it does not open.
 * @throws STORE_UNAVAILABLE
 */
export function readSession(
  { store, ring, clock }: SessionPlace,
  key: string,
): MaybePromise<StoredSession | null> {
  // The size limit of 0 refuses every write.
  return new SessionRecords(store, ring.purpose('session-data'), 0, clock).read(key)
}
