import type { FastifyInstance } from 'fastify'
import { findWithTextIds } from '../accounts/text-ids.js'
import type { AccountId, AccountSource } from '../contract.js'
import { checkDpopOptions, type DpopOptions, type DpopSettings } from '../dpop/options.js'
import { OptionInvalid } from '../errors.js'
import { type CookieSpec, cookieSpec } from '../http/cookies.js'
import { checkSeconds, type Known, refuseUnknown } from '../options.js'
import { type CacheOptions, checkCacheOptions } from '../verified/cache.js'
import type { AccessTokenRules } from './access-token.js'
import { checkSigningKeys, type SigningKeyInput, type SigningKeys } from './signing-keys.js'

export interface TokenAuthOptions {
  /** Required in every token (`iss`). Defaults to `fastify-identity`. */
  readonly issuer?: string
  /** Required in every token (`aud`). Defaults to `fastify-identity`. */
  readonly audience?: string
  /** Lifetime of an access token, in seconds. If it is lowered, tokens with a longer one are refused. Defaults to 900. */
  readonly accessTtl?: number
  /** Seconds from the sign-in to the end of its last refresh token. Rotation does not extend it. Defaults to 604800. */
  readonly refreshTtl?: number
  /** How long a retry with the previous token gets the same successor, in seconds; 0 for never. Defaults to 10. */
  readonly refreshGrace?: number
  /** Before the `__Host-` prefix, the name of the cookie that `app.refreshCookie` sets. Defaults to `refresh`. */
  readonly refreshCookieName?: string
  /** `Secure`, and the `__Host-` prefix, for that cookie. Defaults to true. */
  readonly secure?: boolean
  /** How far in the future a token may have been issued, in seconds (0 to 60). Defaults to 5. */
  readonly clockTolerance?: number
  /**
   * Asymmetric keys for access tokens: PEMs or `node:crypto` keys of Ed25519 (EdDSA), P-256 (ES256) or RSA with 2048 to 4096
   * bits (RS256), also mixed. The first signs, all verify; the others may be public. With `'shared'` as the first entry the
   * secrets sign, and the keys are published and verify. With `'shared'` as the last one tokens under the secrets are still
   * accepted. Without it they are refused. Defaults to the secrets.
   */
  readonly privateKeys?: readonly SigningKeyInput[]
  /**
   * Lets clients bind their tokens to a key of their own (DPoP, RFC 9449): a stolen token is then worth nothing without
   * the key. A client that sends no proof at its login gets tokens as before. Without this option, a request with a
   * proof gets no token.
   */
  readonly dpop?: DpopOptions
  /**
   * The maximum number of verified tokens in memory. The least recently used ones are dropped first. Defaults to
   * 1000000.
   */
  readonly tokenCache?: number
  /** The memory for these in bytes, by an estimate: about 1200 for one without claims. Defaults to 268435456 (256 MiB). */
  readonly cacheBytes?: number
  /** A refresh looks the account up here. Defaults to `app.accountSource`. */
  readonly accounts?: Pick<AccountSource<AccountId>, 'find'>
}

/** Checked and completed. Durations are in seconds. */
export interface TokenSettings extends AccessTokenRules {
  readonly refreshTtl: number
  readonly refreshGrace: number
  readonly refreshCookie: CookieSpec
  /** Empty: the shared secrets sign. */
  readonly privateKeys: SigningKeys
  /** Null: no token can be bound to a key. */
  readonly dpop: DpopSettings | null
  readonly accounts: Pick<AccountSource, 'find'>
  readonly cache: CacheOptions
}

const TEXT_MAX = 256
/** In seconds. With an unlimited grace, a thief with an old token could fetch the newest one. */
const GRACE_MAX = 3600
const TOLERANCE_MAX = 60

function checkText(name: string, value: string): string {
  if (typeof value !== 'string' || value === '' || value.length > TEXT_MAX) {
    throw new OptionInvalid(name, `wants 1 to ${TEXT_MAX} characters`)
  }
  return value
}

function checkKeys(privateKeys: readonly SigningKeyInput[] | undefined): SigningKeys {
  if (privateKeys === undefined) return []
  return checkSigningKeys(privateKeys, (fault) => new OptionInvalid('privateKeys', `is refused: ${fault}`))
}

/** Without accounts a refresh could not check that the account still exists. */
function findAccounts(app: FastifyInstance, options: TokenAuthOptions): Pick<AccountSource, 'find'> {
  if (options.accounts) return findWithTextIds(options.accounts)
  if (app.hasDecorator('accountSource')) return app.getDecorator<AccountSource>('accountSource')
  throw new OptionInvalid('accounts', 'is missing: refreshing a token looks its account up there')
}

const OPTIONS: Known<TokenAuthOptions> = {
  issuer: true,
  audience: true,
  accessTtl: true,
  refreshTtl: true,
  refreshGrace: true,
  refreshCookieName: true,
  secure: true,
  clockTolerance: true,
  privateKeys: true,
  dpop: true,
  tokenCache: true,
  cacheBytes: true,
  accounts: true,
}

/** The default difference between the clocks of two instances, in seconds. */
export const CLOCK_TOLERANCE = 5

/** @throws OPTION_INVALID */
export function checkTokenOptions(app: FastifyInstance, options: TokenAuthOptions): TokenSettings {
  refuseUnknown(options, OPTIONS)
  return Object.freeze({
    issuer: checkText('issuer', options.issuer ?? 'fastify-identity'),
    audience: checkText('audience', options.audience ?? 'fastify-identity'),
    accessTtl: checkSeconds('accessTtl', options.accessTtl ?? 900),
    refreshTtl: checkSeconds('refreshTtl', options.refreshTtl ?? 604_800),
    refreshGrace: checkSeconds('refreshGrace', options.refreshGrace ?? 10, 0, GRACE_MAX),
    refreshCookie: cookieSpec(options.refreshCookieName ?? 'refresh', options.secure ?? true, true),
    clockTolerance: checkSeconds(
      'clockTolerance',
      options.clockTolerance ?? CLOCK_TOLERANCE,
      0,
      TOLERANCE_MAX,
    ),
    privateKeys: checkKeys(options.privateKeys),
    dpop: options.dpop === undefined ? null : checkDpopOptions(app, options.dpop),
    accounts: findAccounts(app, options),
    cache: checkCacheOptions('tokenCache', options.tokenCache, options.cacheBytes),
  })
}
