import type { Clock, MaybePromise } from '../contract.js'
import { refOf } from '../credentials/identity-claims.js'
import type { ProofSlot } from '../device/proof.js'
import { CACHE_AGE, type CacheOptions, VerifiedCache } from '../verified/cache.js'
import { signedOutAs, Verified } from '../verified/verified.js'
import { identityOfSession, type SessionSignIn } from './content.js'
import type { StoredSession } from './records.js'
import type { Strength } from './steps.js'

/*
 * Why a session's identity may come from memory: an id of a session ends by a time limit, by the end of its sign-in, or
 * by a step-up. The cache keeps the time limits. The revocation list has the other two, and is checked at every use. So a
 * record that was read during its sign-out does no harm. The application's data is never cached: it is read from the store
 * each time.
 */

/**
 * How long an unknown session is cached, in ms. It cannot appear later: a session is stored before its id is issued.
 */
const UNKNOWN_FOR = 2000

/** The conditions of device binding for a session. */
export interface SessionBounds {
  /** Until when (ms) it needs no proof. */
  readonly openUntil: number
  /** For a session that is bound. */
  readonly proof: ProofSlot | null
}

export const UNBOUND: SessionBounds = Object.freeze({ openUntil: Number.POSITIVE_INFINITY, proof: null })

/** The sign-in of a session, and the factors and expiry of the id in the cookie. */
export interface HeldSession {
  readonly signIn: SessionSignIn
  /** See SessionCredential. */
  readonly step: number
  readonly strength: Strength
}

/** The length of the random part of a sign-in's id. The rest of the id is a mark. */
const RANDOM_PART = 16

/**
 * The entry in the revocation list for the session's id of this step. A step-up adds it, to tell all processes that this id
 * is no longer the newest. No sign-in has such an id.
 */
export function retirementOf(signInId: string, step: number): string {
  return `${signInId.slice(0, RANDOM_PART)}-${step.toString(36)}`
}

export interface SessionCacheOptions extends CacheOptions {
  readonly clock: Clock
  /** Until when (ms) a session needs no touch and no new seal. */
  readonly restsUntil: (stored: StoredSession) => number
}

/** The identities of sessions in use, by the whole text of their cookies. */
export class SessionCache extends VerifiedCache {
  readonly #reading = new Map<string, Promise<StoredSession | null>>()

  constructor(private readonly sessions: SessionCacheOptions) {
    super(sessions)
  }

  /** Keeps it for five minutes at most. Then its record is read again. */
  keepSession(
    cookie: string,
    stored: StoredSession,
    held: HeldSession,
    bounds: SessionBounds = UNBOUND,
  ): void {
    const verified = this.verifiedOf(cookie, stored, held, bounds)
    this.keep(verified, verified.from)
  }

  /**
   * The session as a credential that was verified now.
   * @param retirement null for a credential that is used at once and not cached
   */
  verifiedOf(
    cookie: string,
    stored: StoredSession,
    { signIn, step, strength: { fac, until: end } }: HeldSession,
    { openUntil, proof }: SessionBounds = UNBOUND,
    retirement: string | null = retirementOf(signIn.sid, step),
  ): Verified {
    const from = this.sessions.clock()
    const rests = Math.min(this.sessions.restsUntil(stored), stored.absoluteExpiresAt, from + CACHE_AGE)
    const until = Math.min(rests, openUntil, end)
    const identity = identityOfSession({ ...signIn, fac })
    return new Verified(identity, cookie, refOf(signIn), from, until, proof, retirement)
  }

  keepUnknown(cookie: string): void {
    const from = this.sessions.clock()
    this.keep(signedOutAs(cookie, from, from + UNKNOWN_FOR), from)
  }

  /** Parallel callers share one read, and its failure. */
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
