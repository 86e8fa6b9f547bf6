import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type {
  AuthMode,
  Begun,
  CheckedAccount,
  GivenFactor,
  MaybePromise,
  Resolution,
  SignInOptions,
} from '../contract.js'
import { mergeFactors, readFactors, writeFactors } from '../credentials/given-factors.js'
import { claimsOf, refOf } from '../credentials/identity-claims.js'
import type { PurposeKeys } from '../credentials/keys.js'
import { checkClaims } from '../credentials/sensitive-claims.js'
import type { BindableMode, ModeDevices } from '../device/mode-devices.js'
import { SignedOut } from '../errors.js'
import { type CookieSpec, readCookie, removeCookie, setCookie } from '../http/cookies.js'
import type { SignIns } from '../sign-ins/contract.js'
import { refOfRecord } from '../sign-ins/record.js'
import type { SignInRecord } from '../stores/contract.js'
import { type CacheOptions, VerifiedCache } from '../verified/cache.js'
import { ABSENT } from '../verified/verified.js'
import { CookieRenewal } from './renewal.js'
import { type CookiePayload, type CookieTtls, checkCookieSize, openCookie, sealCookie } from './seal.js'
import { CookieVerification, INVALID } from './verification.js'

export interface CookieSettings extends CookieTtls {
  readonly spec: CookieSpec
  readonly cache: CacheOptions
}

/** The result of a cookie sign-in. The credential itself is in `Set-Cookie`. */
export interface CookieIssued {
  readonly signInId: string
  /** Seconds. */
  readonly expiresIn: number
}

/** The mode: the cookie itself holds the identity, and only the server can have signed it. */
export class CookieMode implements AuthMode<'cookie'>, BindableMode {
  readonly name = 'cookie'
  readonly ambient = true
  readonly cache: VerifiedCache
  readonly #signIns: SignIns
  readonly #keys: PurposeKeys
  readonly #renewal: CookieRenewal
  readonly #verification: CookieVerification

  /** @param devices null without device binding */
  constructor(
    private readonly app: FastifyInstance,
    private readonly settings: CookieSettings,
    private readonly devices: ModeDevices | null,
  ) {
    const { signIns, identityClock: clock, log } = app
    const { spec, absoluteTtl } = settings
    const keys = app.keyRing.purpose('cookie')
    const cache = new VerifiedCache(settings.cache)
    const renewal = new CookieRenewal({ spec, ttls: settings, keys, signIns, clock, log })
    this.cache = cache
    this.#signIns = signIns
    this.#keys = keys
    this.#renewal = renewal
    this.#verification = new CookieVerification({ keys, cache, renewal, signIns, absoluteTtl, devices })
  }

  resolve(request: FastifyRequest, now = this.app.identityClock()): MaybePromise<Resolution> {
    const reading = readCookie(request.headers.cookie, this.settings.spec.name)
    if (reading.kind === 'absent') return ABSENT
    if (reading.kind === 'doubled') return INVALID
    const verified = this.cache.recall(reading.value, now)
    if (!verified) return this.#verification.verify(request, reading.value, now)
    return this.devices === null
      ? verified.resolve(this.#signIns)
      : this.devices.resolve(request, verified, now)
  }

  async issue(
    request: FastifyRequest,
    reply: FastifyReply,
    account: CheckedAccount,
    options: SignInOptions,
  ): Promise<Begun<'cookie'>> {
    const ext = checkClaims(options.claims)
    checkCookieSize(account, ext)
    const { ttl, rememberTtl, absoluteTtl } = this.settings
    const remember = options.remember === true
    const idleTtl = remember ? rememberTtl : ttl
    const start = {
      mode: this.name,
      account,
      options,
      idleTtl,
      absoluteTtl,
      ...this.devices?.startOf(account),
    }
    const record = await this.#signIns.begin(request, start)
    const claims = claimsOf(record, account, ext, record.createdAt, idleTtl)
    const expiresIn = claims.exp - claims.iat
    const signIn = refOfRecord(record)
    const offered = this.devices ? { dev: 1 as const } : {}
    this.devices?.offer(request, reply, signIn)
    this.#set(request, reply, { v: 1, remember, ...claims, ...offered }, expiresIn)
    return { issued: { signInId: record.id, expiresIn }, signIn }
  }

  async signOut(request: FastifyRequest, reply: FastifyReply): Promise<boolean> {
    const payload = this.#payloadOf(request)
    if (payload) await this.#signIns.end(refOf(payload), { signedOut: this.name, request })
    this.clear(request, reply)
    this.devices?.signedOut(request, reply)
    return payload !== null
  }

  clear(request: FastifyRequest, reply: FastifyReply): void {
    this.#renewal.cancel(request)
    removeCookie(request, reply, this.settings.spec)
    this.devices?.clear(request, reply)
  }

  isOther(request: FastifyRequest, { accountId, id }: SignInRecord): boolean {
    const payload = this.#payloadOf(request)
    return payload !== null && (payload.sid !== id || payload.sub !== accountId)
  }

  issueBound(request: FastifyRequest, reply: FastifyReply): void {
    const payload = this.#payloadOf(request)
    const left = payload ? payload.exp - Math.floor(this.app.identityClock() / 1000) : 0
    if (payload && left > 0) this.#set(request, reply, { ...payload, dev: 2 }, left)
  }

  /**
   * The new cookie has the factors of the request's cookie and the given ones. It does not get factors that another copy
   * of the cookie has got.
   */
  async stepUp(
    request: FastifyRequest,
    reply: FastifyReply,
    given: readonly GivenFactor[],
  ): Promise<CookieIssued> {
    const payload = this.#payloadOf(request)
    if (payload?.sid !== request.identity.signInId) throw new SignedOut()
    const record = await this.#signIns.strengthen(refOf(payload), given)
    const life = record && (await this.#renewal.extend(payload, record))
    if (!life) throw new SignedOut()
    const authTime = payload.auth_time * 1000
    const fac = writeFactors(mergeFactors(readFactors(payload.fac, authTime), given), authTime)
    const { fac: _weak, ...rest } = payload
    const expiresIn = life.exp - life.iat
    this.#set(request, reply, { ...rest, ...life, ...(fac === undefined ? {} : { fac }) }, expiresIn)
    return { signInId: payload.sid, expiresIn }
  }

  #set(request: FastifyRequest, reply: FastifyReply, payload: CookiePayload, maxAge: number): void {
    this.#renewal.cancel(request)
    setCookie(reply, this.settings.spec, sealCookie(this.#keys, payload), maxAge)
  }

  /** Of the request's genuine cookie, expired or not. */
  #payloadOf(request: FastifyRequest): CookiePayload | null {
    const reading = readCookie(request.headers.cookie, this.settings.spec.name)
    return reading.kind === 'one' ? openCookie(this.#keys, reading.value) : null
  }
}
