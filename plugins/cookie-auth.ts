import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type {
  AuthMode,
  Begun,
  CheckedAccount,
  MaybePromise,
  Resolution,
  SignInOptions,
} from './lib/contract.js'
import { CookieRenewal } from './lib/cookie/renewal.js'
import { checkCookieSize, endOfCookie, openCookie, sealCookie } from './lib/cookie/seal.js'
import { claimsOf, identityOf, refOf } from './lib/credentials/identity-claims.js'
import type { PurposeKeys } from './lib/credentials/keys.js'
import { checkClaims } from './lib/credentials/sensitive-claims.js'
import { claimCookieName } from './lib/http/cookie-names.js'
import { type CookieSpec, cookieSpec, readCookie, removeCookie, setCookie } from './lib/http/cookies.js'
import { checkSeconds, type Known, refuseUnknown } from './lib/options.js'
import { refOfRecord } from './lib/sign-ins/record.js'
import { type CacheOptions, checkCacheOptions, VerifiedCache } from './lib/verified/cache.js'
import { ABSENT, refusedAs, Verified } from './lib/verified/verified.js'
import type { SignIns } from './sign-ins.js'

/** The result of a cookie sign-in. The credential itself is in `Set-Cookie`. */
export interface CookieIssued {
  readonly signInId: string
  /** Seconds. */
  readonly expiresIn: number
}

declare module './lib/contract.js' {
  interface AuthModes {
    cookie: CookieIssued
  }
}

export interface CookieAuthOptions {
  /** Before the `__Host-` prefix. Defaults to `identity`. */
  readonly name?: string
  /** `Secure`, and the `__Host-` prefix. Defaults to true. */
  readonly secure?: boolean
  /** Lifetime in seconds. Defaults to 3600. */
  readonly ttl?: number
  /** Lifetime in seconds when remembered. Defaults to 604800. */
  readonly rememberTtl?: number
  /** Lifetime in seconds since the sign-in, however often the cookie is renewed. Defaults to 2592000. */
  readonly absoluteTtl?: number
  /** How many verified cookies are kept in memory at most. Their signatures are not computed again. Defaults to 1000000. */
  readonly cookieCache?: number
  /** Their estimated memory in bytes: about 1050 for each without added claims. Defaults to 268435456 (256 MiB). */
  readonly cacheBytes?: number
}

interface Settings {
  readonly spec: CookieSpec
  readonly ttl: number
  readonly rememberTtl: number
  readonly absoluteTtl: number
  readonly cache: CacheOptions
}

const OPTIONS: Known<CookieAuthOptions> = {
  name: true,
  secure: true,
  ttl: true,
  rememberTtl: true,
  absoluteTtl: true,
  cookieCache: true,
  cacheBytes: true,
}

function checkOptions(options: CookieAuthOptions): Settings {
  refuseUnknown(options, OPTIONS)
  const absoluteTtl = checkSeconds('absoluteTtl', options.absoluteTtl ?? 2_592_000)
  return Object.freeze({
    spec: cookieSpec(options.name ?? 'identity', options.secure ?? true),
    ttl: Math.min(checkSeconds('ttl', options.ttl ?? 3600), absoluteTtl),
    rememberTtl: Math.min(checkSeconds('rememberTtl', options.rememberTtl ?? 604_800), absoluteTtl),
    absoluteTtl,
    cache: checkCacheOptions('cookieCache', options.cookieCache, options.cacheBytes),
  })
}

const INVALID = refusedAs('CREDENTIAL_INVALID')
const EXPIRED = refusedAs('CREDENTIAL_EXPIRED')

/** The mode: the cookie itself holds the identity, and only the server can have signed it. */
class CookieMode implements AuthMode<'cookie'> {
  readonly name = 'cookie'
  readonly ambient = true

  readonly cache: VerifiedCache
  readonly #signIns: SignIns

  constructor(
    private readonly app: FastifyInstance,
    private readonly settings: Settings,
    private readonly keys: PurposeKeys,
    private readonly renewal: CookieRenewal,
  ) {
    this.cache = new VerifiedCache(settings.cache)
    this.#signIns = app.signIns
  }

  resolve(request: FastifyRequest, now = this.app.identityClock()): MaybePromise<Resolution> {
    const reading = readCookie(request.headers.cookie, this.settings.spec.name)
    if (reading.kind === 'absent') return ABSENT
    if (reading.kind === 'doubled') return INVALID
    const verified = this.cache.recall(reading.value, now)
    return verified ? verified.resolve(this.#signIns) : this.#verify(request, reading.value, now)
  }

  #verify(request: FastifyRequest, text: string, now: number): MaybePromise<Resolution> {
    const payload = openCookie(this.keys, text)
    if (!payload) return INVALID
    // Max-Age binds only honest clients, so the server checks as well. A broken clock (NaN) makes everything expired.
    const inTime = now < endOfCookie(payload, this.settings.absoluteTtl)
    if (!inTime) return EXPIRED
    this.renewal.note(request, payload, now)
    const until = this.renewal.restsUntil(payload)
    const credential = new Verified(identityOf(payload, 'cookie'), text, refOf(payload), now, until)
    this.cache.keep(credential, now)
    return credential.resolve(this.#signIns)
  }

  async issue(
    request: FastifyRequest,
    reply: FastifyReply,
    account: CheckedAccount,
    options: SignInOptions,
  ): Promise<Begun<'cookie'>> {
    const ext = checkClaims(options.claims)
    checkCookieSize(account, ext)
    const { spec, ttl, rememberTtl, absoluteTtl } = this.settings
    const remember = options.remember === true
    const idleTtl = remember ? rememberTtl : ttl
    const start = { mode: this.name, account, options, idleTtl, absoluteTtl }
    const record = await this.#signIns.begin(request, start)
    const claims = claimsOf(record, account, ext, record.createdAt, idleTtl)
    const expiresIn = claims.exp - claims.iat
    this.renewal.cancel(request)
    setCookie(reply, spec, sealCookie(this.keys, { v: 1, remember, ...claims }), expiresIn)
    return { issued: { signInId: record.id, expiresIn }, signIn: refOfRecord(record) }
  }

  async signOut(request: FastifyRequest, reply: FastifyReply): Promise<boolean> {
    const reading = readCookie(request.headers.cookie, this.settings.spec.name)
    const payload = reading.kind === 'one' ? openCookie(this.keys, reading.value) : null
    if (payload) await this.#signIns.end(refOf(payload), { signedOut: this.name, request })
    this.clear(request, reply)
    return payload !== null
  }

  clear(request: FastifyRequest, reply: FastifyReply): void {
    this.renewal.cancel(request)
    removeCookie(request, reply, this.settings.spec)
  }
}

function makeRenewal(app: FastifyInstance, settings: Settings, keys: PurposeKeys): CookieRenewal {
  const { signIns, identityClock: clock, log } = app
  return new CookieRenewal({ spec: settings.spec, ttls: settings, keys, signIns, clock, log })
}

async function cookieAuth(app: FastifyInstance, options: CookieAuthOptions): Promise<void> {
  const settings = checkOptions(options)
  const keys = app.keyRing.purpose('cookie')
  const renewal = makeRenewal(app, settings, keys)
  app.authModes.add(new CookieMode(app, settings, keys, renewal))
  claimCookieName(app, 'name', settings.spec)
}

export default fp(cookieAuth, {
  fastify: '5.x',
  name: 'fastify-identity-cookie',
  dependencies: ['fastify-identity-core', 'fastify-identity-sign-ins'],
})
