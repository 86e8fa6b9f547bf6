import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type {
  AuthMode,
  Begun,
  CheckedAccount,
  MaybePromise,
  Resolution,
  SignInOptions,
  SignInTimes,
} from './lib/contract.js'
import { identityOf, refOf } from './lib/credentials/identity-claims.js'
import { checkClaims } from './lib/credentials/sensitive-claims.js'
import { bearerOf, readAuthorization, readBearer } from './lib/http/bearer.js'
import { isClaimedBearer } from './lib/http/bearer-prefixes.js'
import { claimCookieName } from './lib/http/cookie-names.js'
import { refOfRecord } from './lib/sign-ins/record.js'
import { AccessTokens } from './lib/token/access-token.js'
import { createTokenCodecs, sharedTokenKeys } from './lib/token/codecs.js'
import { type PublicJwk, type PublicKeySet, publicKeySet } from './lib/token/jwks.js'
import { checkTokenOptions, type TokenAuthOptions, type TokenSettings } from './lib/token/options.js'
import { type PairInCookie, type RefreshCookie, RefreshCookies } from './lib/token/refresh-cookie.js'
import { Refresher, type RefreshTokens, type TokenPair, tokenPair } from './lib/token/refresher.js'
import { combineTokenKeys } from './lib/token/signing-keys.js'
import { VerifiedCache } from './lib/verified/cache.js'
import { ABSENT, refusedAs, Verified } from './lib/verified/verified.js'
import type { SignIns } from './sign-ins.js'

declare module './lib/contract.js' {
  interface AuthModes {
    token: TokenPair
  }
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Refreshes tokens, and signs out by refresh token. */
    refreshTokens: RefreshTokens
    /** The refresh token as a cookie, for routes of pages. */
    refreshCookie: RefreshCookie
    /** For servers that verify access tokens themselves. */
    tokenKeys: PublicTokenKeys
  }
}

/** The public halves of the keys for access tokens. */
export interface PublicTokenKeys {
  /**
   * A copy of the key set to serve at `/.well-known/jwks.json` (RFC 7517 §5). No private member. Empty if only shared
   * secrets sign tokens.
   */
  jwks(): PublicKeySet
}

export type {
  PairInCookie,
  PublicJwk,
  PublicKeySet,
  RefreshCookie,
  RefreshTokens,
  TokenAuthOptions,
  TokenPair,
}
export { readBearer }

const INVALID = refusedAs('TOKEN_INVALID')
const EXPIRED = refusedAs('TOKEN_EXPIRED')

/** The mode: a short-lived access token that the client sends itself, and a refresh token that rotates. */
class TokenMode implements AuthMode<'token'> {
  readonly name = 'token'
  readonly ambient = false
  readonly scheme = 'Bearer'
  /** Keyed by the whole header, because the spelling of the scheme was verified as well. */
  readonly cache: VerifiedCache
  readonly #signIns: SignIns

  constructor(
    private readonly app: FastifyInstance,
    private readonly settings: TokenSettings,
    private readonly access: AccessTokens,
    private readonly refreshCookie: RefreshCookies,
  ) {
    this.cache = new VerifiedCache(settings.cache)
    this.#signIns = app.signIns
  }

  resolve(request: FastifyRequest, now = this.app.identityClock()): MaybePromise<Resolution> {
    const header = readAuthorization(request)
    if (header === null) return ABSENT
    const verified = this.cache.recall(header, now)
    return verified ? verified.resolve(this.#signIns) : this.#verify(header, now)
  }

  /** Each rotation issues an access token. Its times are whole seconds. */
  endsAt({ absoluteExpiresAt, refresh }: SignInTimes): number {
    if (!refresh) return absoluteExpiresAt
    const issuedAt = Math.floor(refresh.rotatedAt / 1000)
    return Math.min((issuedAt + this.settings.accessTtl) * 1000, absoluteExpiresAt)
  }

  #verify(header: string, now: number): MaybePromise<Resolution> {
    const token = bearerOf(header)
    // A key of another mode is not looked at as a token, whatever that mode makes of it.
    if (token === null || isClaimedBearer(this.app, token)) return ABSENT
    const claims = this.access.open(token, now)
    if (!claims) return INVALID
    const until = claims.exp * 1000
    const inTime = now < until
    if (!inTime) return EXPIRED
    const credential = new Verified(identityOf(claims, 'token'), header, refOf(claims), now, until)
    this.cache.keep(credential, now)
    return credential.resolve(this.#signIns)
  }

  async issue(
    request: FastifyRequest,
    _reply: FastifyReply,
    account: CheckedAccount,
    options: SignInOptions,
  ): Promise<Begun<'token'>> {
    const claims = checkClaims(options.claims)
    this.access.checkSize(account, claims)
    const keys = this.app.keyRing.purpose('refresh-token')
    const record = await this.#signIns.begin(request, {
      mode: this.name,
      account,
      options,
      absoluteTtl: this.settings.refreshTtl,
      refreshKeyId: keys.signing.id,
      claims,
    })
    const { createdAt } = record
    const token = this.access.issue(record, account, claims, createdAt)
    return { issued: tokenPair(keys, record, token, createdAt), signIn: refOfRecord(record) }
  }

  async signOut(request: FastifyRequest, reply: FastifyReply): Promise<boolean> {
    const token = readBearer(request)
    const isOurs = token !== null && !isClaimedBearer(this.app, token)
    const claims = isOurs ? this.access.open(token, this.app.identityClock()) : null
    if (claims) await this.#signIns.end(refOf(claims), { signedOut: this.name, request })
    const hadCookie = await this.refreshCookie.signOut(request)
    this.clear(request, reply)
    return claims !== null || hadCookie
  }

  /** Clears the refresh cookie. No header of a response removes the tokens that a client holds. */
  clear(request: FastifyRequest, reply: FastifyReply): void {
    this.refreshCookie.clear(request, reply)
  }
}

async function tokenAuth(app: FastifyInstance, options: TokenAuthOptions): Promise<void> {
  const settings = checkTokenOptions(app, options)
  const keys = combineTokenKeys(settings.privateKeys, sharedTokenKeys(app.keyRing.purpose('access-token')))
  const published = publicKeySet(keys)
  const access = new AccessTokens(await createTokenCodecs(app, keys), settings)
  const refreshKeys = app.keyRing.purpose('refresh-token')
  const { refreshCookie: spec } = settings
  const refreshCookie = new RefreshCookies({ spec, keys: refreshKeys, signIns: app.signIns })
  app.authModes.add(new TokenMode(app, settings, access, refreshCookie))
  claimCookieName(app, 'refreshCookieName', spec)
  app.decorate('refreshCookie', refreshCookie)
  app.decorate('tokenKeys', Object.freeze({ jwks: () => structuredClone(published) }))
  app.decorate(
    'refreshTokens',
    new Refresher({
      signIns: app.signIns,
      clock: app.identityClock,
      accounts: settings.accounts,
      access,
      keys: refreshKeys,
      refreshGrace: settings.refreshGrace,
    }),
  )
}

export default fp(tokenAuth, {
  fastify: '5.x',
  name: 'fastify-identity-token',
  dependencies: ['fastify-identity-core', 'fastify-identity-sign-ins'],
})
