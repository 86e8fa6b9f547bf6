import type { Clock, MaybePromise } from '../contract.js'
import { refOf } from '../credentials/identity-claims.js'
import { CACHE_AGE, type CacheOptions, VerifiedCache } from '../verified/cache.js'
import { verifiedAs } from '../verified/verified.js'
import { identityOfSession } from './content.js'
import type { StoredSession } from './records.js'

/*
 * Why a session's identity may be answered from memory: nothing but the end of its sign-in takes it away, and
 * whether the sign-in is live is asked at every use. So a record that was read while its owner logged out may
 * be kept: it is refused like one that was kept before. Everything else that ends a session is a time, and
 * times are kept here. The application's data is not: it is read from the store each time.
 */

/**
 * How long it is remembered that there is no such session, in ms. An id is handed out after its session is
 * stored, and never used again: what is missing once will not come.
 */
const UNKNOWN_FOR = 2000
const NO_REF = Object.freeze({ epoch: 0, generation: 0 })

export interface SessionCacheOptions extends CacheOptions {
  readonly clock: Clock
  /** Until when (ms) a session needs nothing but its identity: no touch, no new seal. */
  readonly restsUntil: (stored: StoredSession) => number
}

/** The sessions that are in use, by the whole text of their cookies: an id that is known is as good as verified. */
export class SessionCache extends VerifiedCache {
  readonly #reading = new Map<string, Promise<StoredSession | null>>()

  constructor(private readonly sessions: SessionCacheOptions) {
    super(sessions)
  }

  /** Keeps it for five minutes at most: then its record is read again. */
  keepSession(cookie: string, stored: StoredSession): void {
    const { signIn } = stored.content
    if (!signIn) return
    const from = this.sessions.clock()
    const until = Math.min(this.sessions.restsUntil(stored), stored.absoluteExpiresAt, from + CACHE_AGE)
    this.keep(verifiedAs(identityOfSession(signIn), cookie, refOf(signIn), from, until), from)
  }

  /** Keeps in mind, for a moment, that there is no such session. */
  keepUnknown(cookie: string): void {
    const from = this.sessions.clock()
    this.keep(verifiedAs(null, cookie, NO_REF, from, from + UNKNOWN_FOR), from)
  }

  /** One read for all who ask at once. What fails, fails for all of them, and is not remembered. */
  readOnce(id: string, read: () => MaybePromise<StoredSession | null>): MaybePromise<StoredSession | null> {
    const running = this.#reading.get(id)
    if (running) return running
    const reading = read()
    if (!(reading instanceof Promise)) return reading
    this.#reading.set(id, reading)
    const done = () => void this.#reading.delete(id)
    reading.then(done, done)
    return reading
  }
}
