import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../contract.js'
import { refOf } from '../credentials/identity-claims.js'
import type { PurposeKeys } from '../credentials/keys.js'
import { beforeAnswer } from '../http/before-answer.js'
import { type CookieSpec, setCookie } from '../http/cookies.js'
import { kCaller } from '../identity/caller.js'
import { Newest } from '../newest.js'
import type { SignIns } from '../sign-ins/contract.js'
import { isLiveNow } from '../sign-ins/liveness.js'
import { type CookiePayload, endOfCookie, sealCookie } from './seal.js'

/** How long cookies live, in seconds. */
export interface CookieTtls {
  readonly ttl: number
  readonly rememberTtl: number
  /** Since the password was given. */
  readonly absoluteTtl: number
}

export interface CookieRenewalParts {
  readonly spec: CookieSpec
  readonly ttls: CookieTtls
  readonly keys: PurposeKeys
  readonly signIns: Pick<SignIns, 'touch' | 'find' | 'isLive'>
  readonly clock: Clock
  readonly log: Pick<FastifyBaseLogger, 'warn'>
}

interface Renewal {
  /** In ms. */
  readonly at: number
  /** Null: there was nothing to renew. */
  readonly life: Pick<CookiePayload, 'iat' | 'exp'> | null
}

/** How long requests with the old cookie get the same renewed one, in ms. */
const SERVES_FOR = 60_000
/** Some 150 bytes each. Beyond the bound, a sign-in is renewed anew. */
const RENEWALS_MAX = 100_000

/** Where a request keeps what its cookie said, when that is to be renewed with the answer. */
const kRenewal = Symbol('fastify-identity.cookie-renewal')

declare module 'fastify' {
  interface FastifyRequest {
    [kRenewal]?: CookiePayload | null
  }
}

/**
 * Gives the cookie a new life once half of it has passed: the same sign-in and `auth_time`, sealed under the key
 * that signs now, and never beyond the absolute limit. It is stored at most once a minute: who sends the old cookie
 * again meanwhile gets the same new one.
 *
 * As in the session mode it is noted when the cookie is read, and done as the answer goes out: after whatever
 * the request did, so that a sign-in that it ended is not renewed.
 */
export class CookieRenewal {
  readonly #parts: CookieRenewalParts
  /** By sign-in: many requests at once renew a cookie once. */
  readonly #running = new Map<string, Promise<CookiePayload | null>>()
  /**
   * The latest renewals, by sign-in. A client may go on sending the old cookie (a script, many tabs at once): without
   * this each of its requests would write to the store.
   */
  readonly #recent = new Newest<string, Renewal>(RENEWALS_MAX)

  constructor(parts: CookieRenewalParts) {
    this.#parts = parts
  }

  /** Notes a cookie that is genuine and live, if it is due. */
  note(request: FastifyRequest, payload: CookiePayload, now: number): void {
    if (now < this.restsUntil(payload)) return
    if (!request[kRenewal]) beforeAnswer(request, (reply) => this.#settle(request, reply))
    request[kRenewal] = payload
  }

  /** Until when (ms) using the cookie does nothing to it: half its life, or all of it where that is its last. */
  restsUntil(payload: CookiePayload): number {
    const mayLiveOn = payload.exp < this.#absoluteEnd(payload)
    if (mayLiveOn) return (payload.iat + payload.exp) * 500
    return endOfCookie(payload, this.#parts.ttls.absoluteTtl)
  }

  /** For an answer that sets or clears the cookie otherwise. */
  cancel(request: FastifyRequest): void {
    request[kRenewal] = null
  }

  /**
   * Sets the renewed cookie on the answer to a request that a guard admitted by it. What fails is logged, and
   * tried again with the next request: the answer goes out as it is.
   */
  async #settle(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const payload = request[kRenewal]
    if (!payload) return
    // Cancelled and noted again, it was noted twice.
    this.cancel(request)
    const caller = request[kCaller]
    if (caller?.mode !== 'cookie' || caller.signInId !== payload.sid) return
    const renewed = await this.#renewOnce(payload)
    if (renewed && (await this.#isStillLive(renewed))) this.#write(reply, renewed)
  }

  /** Asked last of all: while it was stored, somebody may have signed in or out at the same browser. */
  async #isStillLive(payload: CookiePayload): Promise<boolean> {
    const { signIns, log } = this.#parts
    try {
      return await isLiveNow(signIns, refOf(payload))
    } catch (error) {
      log.warn({ err: error }, 'a cookie could not be renewed')
      return false
    }
  }

  #absoluteEnd({ auth_time }: CookiePayload): number {
    return auth_time + this.#parts.ttls.absoluteTtl
  }

  #renewOnce(payload: CookiePayload): Promise<CookiePayload | null> {
    const running = this.#running.get(payload.sid)
    if (running) return running
    const renewing = this.#renew(payload)
      .catch((error: unknown) => {
        this.#parts.log.warn({ err: error }, 'a cookie could not be renewed')
        return null
      })
      .finally(() => this.#running.delete(payload.sid))
    this.#running.set(payload.sid, renewing)
    return renewing
  }

  async #renew(payload: CookiePayload): Promise<CookiePayload | null> {
    const now = this.#parts.clock()
    const known = this.#recent.get(payload.sid)
    // The clock may have been set back.
    const life = known && Math.abs(now - known.at) < SERVES_FOR ? known.life : undefined
    if (life === null) return null
    const again = life && { ...payload, ...life }
    // Not where it is that one that is due: cookies may live for less than two minutes.
    if (again && again.exp > payload.exp) return again
    const renewed = await this.#store(payload, now)
    this.#recent.set(payload.sid, { at: now, life: renewed && { iat: renewed.iat, exp: renewed.exp } })
    return renewed
  }

  /**
   * The record's idle limit moves first, and the cookie ends with it: one that outlived its record would be
   * missed by whoever ends all sign-ins of an account. A sign-in that was ended meanwhile has no record.
   */
  async #store(payload: CookiePayload, now: number): Promise<CookiePayload | null> {
    const { signIns, ttls } = this.#parts
    const iat = Math.floor(now / 1000)
    const idleTtl = payload.remember ? ttls.rememberTtl : ttls.ttl
    if (!(await signIns.touch(refOf(payload), idleTtl))) return null
    const record = await signIns.find(payload.sub, payload.sid)
    if (!record) return null
    const recordEnd = Math.floor(Math.min(record.idleExpiresAt, record.absoluteExpiresAt) / 1000)
    const exp = Math.min(iat + idleTtl, this.#absoluteEnd(payload), recordEnd)
    return exp > payload.exp ? { ...payload, iat, exp } : null
  }

  #write(reply: FastifyReply, payload: CookiePayload): void {
    const { spec, keys, clock } = this.#parts
    const left = payload.exp - Math.floor(clock() / 1000)
    // A browser takes `Max-Age=0` for an order to drop whatever cookie it holds by now.
    if (left > 0) setCookie(reply, spec, sealCookie(keys, payload), left)
  }
}
