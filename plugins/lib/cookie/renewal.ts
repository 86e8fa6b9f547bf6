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
import type { SignInRecord } from '../stores/contract.js'
import { type CookiePayload, type CookieTtls, endOfCookie, idleTtlOf, sealCookie } from './seal.js'
import { StepUps } from './step-ups.js'

export interface CookieRenewalParts {
  readonly spec: CookieSpec
  readonly ttls: CookieTtls
  readonly keys: PurposeKeys
  readonly signIns: Pick<SignIns, 'touch' | 'find' | 'isLive'>
  readonly clock: Clock
  readonly log: Pick<FastifyBaseLogger, 'warn'>
}

type Life = Pick<CookiePayload, 'iat' | 'exp'>

interface Renewal {
  /** In ms. */
  readonly at: number
  /** Null if there was nothing to renew. */
  readonly life: Life | null
}

/** How long requests with the old cookie get the same renewed one, in ms. */
const SERVES_FOR = 60_000
/** About 150 bytes each. A sign-in beyond the bound is renewed again. */
const RENEWALS_MAX = 100_000

/**
 * The payload for the renewed cookie of a request. Null if the answer sets or clears the cookie in another way.
 * `isChanged`: the payload differs from the cookie's, and must be set even if no renewal is due.
 */
const kRenewal = Symbol('fastify-identity.cookie-renewal')

interface Noted {
  readonly payload: CookiePayload
  readonly isChanged: boolean
}

declare module 'fastify' {
  interface FastifyRequest {
    [kRenewal]?: Noted | null
  }
}

/**
 * Renews a cookie after half its life: the same sign-in and `auth_time`, sealed under the current signing key, and
 * never beyond the absolute limit. A renewal is stored at most once a minute. Meanwhile the old cookie gets the same
 * new one.
 *
 * As in the session mode, reading the cookie only notes the renewal. It is done at the end of the request. So a sign-in
 * that the request itself ended is not renewed.
 */
export class CookieRenewal {
  readonly #parts: CookieRenewalParts
  /** By sign-in: parallel requests share the new lifetime. Each keeps the factors and other content of its own cookie. */
  readonly #running = new Map<string, Promise<Life | null>>()
  /** By sign-in. A script or many tabs may go on sending the old cookie. Without this map, each request would write. */
  readonly #recent = new Newest<string, Renewal>(RENEWALS_MAX)
  readonly #stepUps: StepUps

  constructor(parts: CookieRenewalParts) {
    this.#parts = parts
    this.#stepUps = new StepUps(parts.clock)
  }

  /** Notes a genuine, live cookie if it is due, or if its content has changed. */
  note(request: FastifyRequest, payload: CookiePayload, now: number, isChanged = false): void {
    if (!isChanged && now < this.restsUntil(payload)) return
    if (!request[kRenewal]) beforeAnswer(request, (reply) => this.#settle(request, reply))
    request[kRenewal] = { payload, isChanged }
  }

  /** The time (ms) from which a request renews the cookie: half its life. If it cannot live longer, its end. */
  restsUntil(payload: CookiePayload): number {
    const mayLiveOn = payload.exp < this.#absoluteEnd(payload)
    if (mayLiveOn) return (payload.iat + payload.exp) * 500
    return endOfCookie(payload, this.#parts.ttls.absoluteTtl)
  }

  /** Drops the noted renewal, because the answer sets or clears the cookie in another way. */
  cancel(request: FastifyRequest): void {
    request[kRenewal] = null
  }

  /**
   * The lifetime of the cookie that a step-up issues in place of this one. Null if the sign-in has ended.
   * @param record with the new factors
   */
  async extend(payload: CookiePayload, record: SignInRecord): Promise<Life | null> {
    const { signIns, clock, ttls } = this.#parts
    const iat = Math.floor(clock() / 1000)
    const idleTtl = idleTtlOf(ttls, payload)
    if (!(await signIns.touch(refOf(payload), idleTtl))) return null
    this.#stepUps.note(record)
    const exp = Math.min(
      iat + idleTtl,
      this.#absoluteEnd(payload),
      Math.floor(record.absoluteExpiresAt / 1000),
    )
    return exp > iat ? { iat, exp } : null
  }

  /**
   * Sets the renewed cookie if a guard admitted the request by the old one. A failure is logged and leaves the answer
   * as it is; the next request tries again.
   */
  async #settle(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const noted = request[kRenewal]
    if (!noted) return
    // If a renewal was cancelled and noted again, this runs twice.
    this.cancel(request)
    const { payload, isChanged } = noted
    const caller = request[kCaller]?.identity
    if (caller?.mode !== 'cookie' || caller.signInId !== payload.sid) return
    const isDue = this.#parts.clock() >= this.restsUntil(payload)
    const life = isDue ? await this.#renewOnce(payload) : null
    if (!life && !isChanged) return
    const isLive = await this.#isStillLive(payload)
    if (isLive && !this.#stepUps.haveOvertaken(payload)) this.#write(reply, { ...payload, ...life })
  }

  /** The last check: the same browser may have signed in or out while the renewal was stored. */
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

  #renewOnce(payload: CookiePayload): Promise<Life | null> {
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

  async #renew(payload: CookiePayload): Promise<Life | null> {
    const now = this.#parts.clock()
    const known = this.#recent.get(payload.sid)
    // `abs`, because the clock may have been set back.
    const again = known && Math.abs(now - known.at) < SERVES_FOR ? known.life : undefined
    if (again === null) return null
    // If cookies live for less than two minutes, this cookie may itself be the latest renewal, and due.
    if (again && again.exp > payload.exp) return again
    const life = await this.#store(payload, now)
    this.#recent.set(payload.sid, { at: now, life })
    return life
  }

  /**
   * Moves the record's idle limit first. The cookie ends no later than the record: "end all sign-ins" would miss a
   * cookie that outlives its record. A sign-in that has ended meanwhile has no record.
   */
  async #store(payload: CookiePayload, now: number): Promise<Life | null> {
    const { signIns, ttls } = this.#parts
    const iat = Math.floor(now / 1000)
    const idleTtl = idleTtlOf(ttls, payload)
    if (!(await signIns.touch(refOf(payload), idleTtl))) return null
    const record = await signIns.find(payload.sub, payload.sid)
    if (!record || this.#stepUps.haveOvertakenBy(payload, record)) return null
    const recordEnd = Math.floor(Math.min(record.idleExpiresAt, record.absoluteExpiresAt) / 1000)
    const exp = Math.min(iat + idleTtl, this.#absoluteEnd(payload), recordEnd)
    return exp > payload.exp ? { iat, exp } : null
  }

  #write(reply: FastifyReply, payload: CookiePayload): void {
    const { spec, keys, clock } = this.#parts
    const left = payload.exp - Math.floor(clock() / 1000)
    // `Max-Age=0` would delete the browser's cookie, which may be a newer one.
    if (left > 0) setCookie(reply, spec, sealCookie(keys, payload), left)
  }
}
