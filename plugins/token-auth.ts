import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { NO_PROOFS, Proofs } from './lib/dpop/proofs.js'
import { MemoryOfUse } from './lib/dpop/used.js'
import { readBearer } from './lib/http/bearer.js'
import { claimCookieName } from './lib/http/cookie-names.js'
import { AccessTokens } from './lib/token/access-token.js'
import { createTokenCodecs, sharedTokenKeys } from './lib/token/codecs.js'
import { type PublicJwk, type PublicKeySet, publicKeySet } from './lib/token/jwks.js'
import { TokenMode } from './lib/token/mode.js'
import { checkTokenOptions, type TokenAuthOptions, type TokenSettings } from './lib/token/options.js'
import type { TokenPair } from './lib/token/pair.js'
import { type PairInCookie, type RefreshCookie, RefreshCookies } from './lib/token/refresh-cookie.js'
import { Refresher, type RefreshTokens } from './lib/token/refresher.js'
import { combineTokenKeys } from './lib/token/signing-keys.js'

// Declared here and not beside the mode, because a compiler that reads the declarations of this file would not find it there.
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

export type { DpopOptions } from './lib/dpop/options.js'
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

function proofsFor(app: FastifyInstance, { dpop }: TokenSettings): Proofs | null {
  if (!dpop) return null
  const { used } = dpop
  if (used instanceof MemoryOfUse && app.hasDecorator('identityMetrics'))
    app.identityMetrics.meters.proofs(() => used.size)
  return new Proofs(dpop, app.keyRing.purpose('dpop-nonce'), app.identityClock)
}

async function tokenAuth(app: FastifyInstance, options: TokenAuthOptions): Promise<void> {
  const settings = checkTokenOptions(app, options)
  const keys = combineTokenKeys(settings.privateKeys, sharedTokenKeys(app.keyRing.purpose('access-token')))
  const published = publicKeySet(keys)
  const access = new AccessTokens(await createTokenCodecs(app, keys), settings)
  const refreshKeys = app.keyRing.purpose('refresh-token')
  const { refreshCookie: spec } = settings
  const refreshCookie = new RefreshCookies({ spec, keys: refreshKeys, signIns: app.signIns })
  const proofs = proofsFor(app, settings)
  const refresher = new Refresher({
    signIns: app.signIns,
    clock: app.identityClock,
    accounts: settings.accounts,
    access,
    keys: refreshKeys,
    proofs: proofs ?? NO_PROOFS,
    refreshGrace: settings.refreshGrace,
  })
  app.authModes.add(new TokenMode({ app, settings, access, refreshCookie, proofs, refresher }))
  claimCookieName(app, 'refreshCookieName', spec)
  app.decorate('refreshCookie', refreshCookie)
  app.decorate('tokenKeys', Object.freeze({ jwks: () => structuredClone(published) }))
  app.decorate('refreshTokens', refresher)
}

export default fp(tokenAuth, {
  fastify: '5.x',
  name: 'fastify-identity-token',
  dependencies: ['fastify-identity-core', 'fastify-identity-sign-ins'],
})
