import type { Clock, Identity, MaybePromise, Resolution, SignInRef } from '../contract.js'
import type { StoredSession } from '../session-records.js'
import { ownText } from './own-text.js'

/*
 * Why a session's identity may be answered from memory: nothing but the end of its sign-in takes it away, and
 * whether the sign-in is live is asked at every use. So a record that was read while its owner logged out may
 * be kept: it is refused like one that was kept before. Everything else that ends a session is a time, and
 * times are kept here. The application's data is not: it is read from the store each time.
 */

/** What a session's cookie stands for. It is its sign-in's ref, too. Times are in ms. */
interface HotSession extends SignInRef {
  readonly resolution: Resolution
  readonly from: number
  readonly until: number
}

/** How long an identity is answered from memory before its record is read again, in ms. */
const AGE_MAX = 300_000
/**
 * How long it is remembered that there is no such session, in ms. An id is handed out after its session is
 * stored, and never used again: what is missing once will not come.
 */
const UNKNOWN_FOR = 2000

export interface SessionCacheOptions {
  /** How many sessions are kept at most. */
  readonly max: number
  readonly clock: Clock
  /** Until when (ms) a session needs nothing but its identity: no touch, no new seal. */
  readonly restsUntil: (stored: StoredSession) => number
}

/**
 * The sessions that are in use, by id. In two halves: what is used moves to the younger one, and when that is
 * full, or old, the older one is dropped. So what is not used is gone after ten minutes, without looking for it.
 */
export class SessionCache {
  readonly #options: SessionCacheOptions
  readonly #reading = new Map<string, Promise<StoredSession | null>>()
  #young = new Map<string, HotSession>()
  #old = new Map<string, HotSession>()
  #turnedAt = 0

  constructor(options: SessionCacheOptions) {
    this.#options = options
  }

  /** What is known of a session, if that is enough to answer. Ask whether its sign-in is live. */
  recall(id: string): HotSession | undefined {
    const hot = this.#young.get(id) ?? this.#promote(id)
    const now = this.#options.clock()
    return hot && now >= hot.from && now < hot.until ? hot : undefined
  }

  keep(id: string, stored: StoredSession, identity: Identity): void {
    const { signIn } = stored.content
    if (!signIn) return
    const from = this.#options.clock()
    this.#put(id, {
      accountId: identity.accountId,
      signInId: identity.signInId,
      epoch: signIn.epoch,
      generation: signIn.gen,
      resolution: Object.freeze({ kind: 'identity', identity }),
      from,
      until: Math.min(this.#options.restsUntil(stored), stored.absoluteExpiresAt, from + AGE_MAX),
    })
  }

  /** Keeps in mind, for a moment, that there is no such session. */
  keepUnknown(id: string, resolution: Resolution): void {
    const from = this.#options.clock()
    const nobody = { accountId: '', signInId: '', epoch: 0, generation: 0 }
    this.#put(id, { ...nobody, resolution, from, until: from + UNKNOWN_FOR })
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

  #promote(id: string): HotSession | undefined {
    const hot = this.#old.get(id)
    if (hot) this.#put(id, hot)
    return hot
  }

  #put(id: string, hot: HotSession): void {
    const now = this.#options.clock()
    const isDue = now < this.#turnedAt || now >= this.#turnedAt + AGE_MAX
    if (isDue || this.#young.size >= this.#options.max / 2) {
      this.#old = this.#young
      this.#young = new Map()
      this.#turnedAt = now
    }
    this.#young.set(ownText(id), hot)
  }
}
