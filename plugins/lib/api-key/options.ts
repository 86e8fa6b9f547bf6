import { OptionInvalid } from '../errors.js'
import { checkScopes } from '../identity/scopes.js'
import { checkSeconds, checkWhole, type Known, refuseUnknown } from '../options.js'
import { type CacheOptions, checkCacheOptions } from '../verified/cache.js'
import type { ApiKeySource } from './contract.js'

export interface ApiKeyAuthOptions {
  /** Where keys are kept. Defaults to the database of the suite's accounts; an application with its own brings one. */
  readonly source?: ApiKeySource
  /** The beginning of every key, before an underscore. Defaults to `fik`. */
  readonly keyPrefix?: string
  /** The maximum number of live keys of one account. One more is refused. Defaults to 50. */
  readonly cap?: number
  /** The lifetime of a key without `expiresIn`, in seconds. Defaults to 90 days, or `ttlMax` if that is shorter. */
  readonly ttl?: number
  /** The longest lifetime of a key, in seconds. Defaults to 400 days. At most `longestTtl` of the sign-ins. */
  readonly ttlMax?: number
  /** How many verified keys are kept in memory. Defaults to 1 000 000. */
  readonly keyCache?: number
  /** How much memory they take at most, in bytes. Defaults to 256 MiB. */
  readonly cacheBytes?: number
}

/** Checked and completed. Times are in seconds. */
export interface ApiKeySettings {
  readonly prefix: string
  readonly cap: number
  readonly ttl: number
  readonly ttlMax: number
  readonly cache: CacheOptions
}

const OPTIONS: Known<ApiKeyAuthOptions> = {
  source: true,
  keyPrefix: true,
  cap: true,
  ttl: true,
  ttlMax: true,
  keyCache: true,
  cacheBytes: true,
}

export const KEY_CAP = 50
export const KEY_CAP_MAX = 10_000
const TTL = 90 * 24 * 3600
export const KEY_TTL_MAX = 400 * 24 * 3600
/** No access token begins like this, because its third character is a capital letter. */
const PREFIX = /^[a-z][a-z0-9]{1,15}$/

const FUNCTIONS = ['insert', 'find', 'list', 'end', 'noteUse'] as const

/** @throws OPTION_INVALID */
export function checkSource(source: ApiKeySource): ApiKeySource {
  for (const name of FUNCTIONS) {
    if (typeof source?.[name] !== 'function')
      throw new OptionInvalid('source', `wants the functions ${FUNCTIONS.join(', ')}; it has no ${name}`)
  }
  return source
}

/** @throws OPTION_INVALID naming the option and what it wants */
export function checkApiKeyOptions(options: ApiKeyAuthOptions): ApiKeySettings {
  refuseUnknown(options, OPTIONS)
  const { keyPrefix: prefix = 'fik', cap = KEY_CAP, ttlMax = KEY_TTL_MAX } = options
  if (typeof prefix !== 'string' || !PREFIX.test(prefix)) {
    throw new OptionInvalid('keyPrefix', 'wants 2 to 16 small letters and digits, and a letter first')
  }
  checkSeconds('ttlMax', ttlMax)
  return Object.freeze({
    prefix,
    cap: checkWhole('cap', cap, 1, KEY_CAP_MAX),
    ttl: checkSeconds('ttl', options.ttl ?? Math.min(TTL, ttlMax), 1, ttlMax),
    ttlMax,
    cache: checkCacheOptions('keyCache', options.keyCache, options.cacheBytes),
  })
}

/** The properties of a new key, for `request.signIn('api_key', account, { apiKey })`. */
export interface NewApiKey {
  /** For people, to tell their keys apart. At most 100 characters; empty by default. */
  readonly name?: string
  /** The scopes of the key (`guard({ scope })`). None by default: only guards without a scope admit it then. */
  readonly scopes?: readonly string[]
  /** The lifetime in seconds, at most `ttlMax`. Defaults to `ttl`. */
  readonly expiresIn?: number
}

const NEW_KEY: Known<NewApiKey> = { name: true, scopes: true, expiresIn: true }
const NAME_MAX = 100
/**
 * Lists and logs show the name. So it has no control characters, no characters that change the direction of text, and
 * no lone surrogates.
 */
const NAME = new RegExp(`^[^\\p{Cc}\\p{Cf}\\p{Cs}\\p{Zl}\\p{Zp}]{0,${NAME_MAX}}$`, 'u')

/** Whether a text can be the name of a key. */
export function isKeyName(name: unknown): name is string {
  return typeof name === 'string' && NAME.test(name)
}

/** @throws OPTION_INVALID */
export function checkNewKey(wanted: NewApiKey, { ttl, ttlMax }: ApiKeySettings): Required<NewApiKey> {
  refuseUnknown(wanted, NEW_KEY, [])
  const { name = '', scopes = [], expiresIn = ttl } = wanted
  if (!isKeyName(name)) throw new OptionInvalid('apiKey.name', `wants at most ${NAME_MAX} visible characters`)
  return {
    name,
    scopes: checkScopes('apiKey.scopes', scopes),
    expiresIn: checkSeconds('apiKey.expiresIn', expiresIn, 1, ttlMax),
  }
}
