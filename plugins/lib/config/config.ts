import { isIP } from 'node:net'
import { ConfigInvalid } from '../errors.js'
import { CAP_MAX } from '../sign-ins/cap.js'
import { LIMIT_MAX } from '../throttle/options.js'
import { type CookieNames, readCookieNames } from './cookie-names.js'
import { isOneSentence, startFault } from './start-fault.js'
import { readTokenKeys, type TokenKeySettings } from './token-keys.js'
import type { Environment } from './values.js'
import * as read from './values.js'

export type { CookieNames, Environment }
export { isOneSentence, startFault }

/** The user center's settings, read once from the environment. TTLs are in seconds. */
export interface Config {
  readonly production: boolean
  readonly host: string
  readonly dataDir: string
  readonly redisUrl: string | null
  /** null: accounts are in `dataDir`. */
  readonly databaseUrl: string | null
  /** null: to be generated into `dataDir`, in development only. */
  readonly secrets: readonly string[] | null
  /** null: the secrets sign tokens too. */
  readonly tokenKeys: TokenKeySettings | null
  readonly tokenIssuer: string
  readonly tokenAudience: string
  readonly accessTokenTtl: number
  readonly refreshTokenTtl: number
  readonly refreshGrace: number
  readonly cookieTtl: number
  readonly rememberTtl: number
  readonly cookieAbsoluteTtl: number
  readonly sessionIdleTtl: number
  readonly sessionAbsoluteTtl: number
  /** Failed attempts at one account, and from one address, in 15 minutes. */
  readonly loginLimitAccount: number
  readonly loginLimitAddress: number
  /** Live sign-ins of one account. */
  readonly signInCap: number
  readonly cookieSecure: boolean
  /** Before the `__Host-` prefix. */
  readonly cookieName: string
  readonly sessionName: string
  /** Addresses and CIDR ranges of the proxies in front; `true` trusts whoever connects. */
  readonly trustProxy: readonly string[] | true
  readonly allowedOrigins: readonly string[]
  /** Whether `/docs` is there. */
  readonly docs: boolean
  /** Whether `/metrics` is there. */
  readonly metrics: boolean
  /** Whether anybody may make an account. */
  readonly registrationOpen: boolean
  /** No password may hold one of them. */
  readonly passwordWords: readonly string[]
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']

/** Only checked: it is fastify-cli that makes the logger. */
function checkLogLevel(env: Environment): void {
  read.choice(env, 'LOG_LEVEL', LOG_LEVELS, 'info')
}

function isRegistrationOpen(env: Environment, production: boolean): boolean {
  return read.choice(env, 'REGISTRATION', ['open', 'closed'], production ? 'closed' : 'open') === 'open'
}

function isSet(env: Environment, name: string): boolean {
  return read.text(env, name, '') !== ''
}

/** A trailing space (`set NODE_ENV=production &&` leaves one) or another case must not mean development. */
function isProduction(env: Environment): boolean {
  return read.text(env, 'NODE_ENV', '').toLowerCase() === 'production'
}

function refuseUnsafeProduction(env: Environment): void {
  // A list of commas alone holds no secret either.
  if (read.list(env, 'AUTH_SECRETS').length === 0) {
    throw new ConfigInvalid(
      'AUTH_SECRETS is required in production: one or more secrets of at least 32 bytes.',
    )
  }
  const scaledOut = isSet(env, 'REDIS_URL') && isSet(env, 'DATABASE_URL')
  if (!scaledOut && !read.flag(env, 'SINGLE_INSTANCE', false)) {
    throw new ConfigInvalid(
      'Production needs both REDIS_URL and DATABASE_URL, or SINGLE_INSTANCE=true to run one process on the embedded stores.',
    )
  }
}

/** Lifetimes that contradict each other: the shorter would silently win. */
function refuseContradictions(config: Config): void {
  const pairs = [
    ['ACCESS_TOKEN_TTL', config.accessTokenTtl, 'REFRESH_TOKEN_TTL', config.refreshTokenTtl],
    ['REFRESH_GRACE', config.refreshGrace, 'REFRESH_TOKEN_TTL', config.refreshTokenTtl],
    ['COOKIE_TTL', config.cookieTtl, 'COOKIE_ABSOLUTE_TTL', config.cookieAbsoluteTtl],
    ['REMEMBER_TTL', config.rememberTtl, 'COOKIE_ABSOLUTE_TTL', config.cookieAbsoluteTtl],
    ['SESSION_IDLE_TTL', config.sessionIdleTtl, 'SESSION_ABSOLUTE_TTL', config.sessionAbsoluteTtl],
  ] as const
  for (const [name, value, limitName, limit] of pairs) {
    if (value > limit) throw new ConfigInvalid(`${name} must not be longer than ${limitName}.`)
  }
}

export function isAddressRange(entry: string): boolean {
  const [address = '', bits, ...rest] = entry.split('/')
  const size = isIP(address) === 4 ? 32 : 128
  const fits = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= size)
  return isIP(address) !== 0 && fits && rest.length === 0
}

function readTrustProxy(env: Environment, production: boolean): readonly string[] | true {
  const entries = read.list(env, 'TRUST_PROXY')
  // Then every client could write its own address, and the throttle would count for nobody.
  if (production && entries.some((entry) => entry === 'true' || /\/0+$/.test(entry))) {
    throw new ConfigInvalid(
      'TRUST_PROXY must not trust every address in production: list the proxies’ addresses.',
    )
  }
  if (entries.length === 1 && entries[0] === 'true') return true
  if (!entries.every(isAddressRange)) {
    throw new ConfigInvalid('TRUST_PROXY must be a list of addresses or CIDR ranges, such as 10.0.0.0/8.')
  }
  return entries
}

/**
 * Reads, checks and freezes the settings.
 * @throws CONFIG_INVALID with one sentence that names the variable
 */
export function readConfig(env: Environment): Config {
  const production = isProduction(env)
  if (production) refuseUnsafeProduction(env)
  // Not used here, but checked: it is fastify-cli that listens, and only production that asks for the other.
  checkLogLevel(env)
  read.port(env)
  read.flag(env, 'SINGLE_INSTANCE', false)
  const config: Config = Object.freeze({
    production,
    host: read.text(env, 'HOST', '127.0.0.1'),
    dataDir: read.text(env, 'DATA_DIR', './data'),
    redisUrl: read.redisUrl(env),
    databaseUrl: read.databaseUrl(env),
    secrets: read.secrets(env, production),
    tokenKeys: readTokenKeys(env),
    tokenIssuer: read.text(env, 'TOKEN_ISSUER', 'fastify-identity'),
    tokenAudience: read.text(env, 'TOKEN_AUDIENCE', 'fastify-identity'),
    accessTokenTtl: read.seconds(env, 'ACCESS_TOKEN_TTL', 900),
    refreshTokenTtl: read.seconds(env, 'REFRESH_TOKEN_TTL', 604_800),
    refreshGrace: read.seconds(env, 'REFRESH_GRACE', 10, 0),
    cookieTtl: read.seconds(env, 'COOKIE_TTL', 3600),
    rememberTtl: read.seconds(env, 'REMEMBER_TTL', 604_800),
    cookieAbsoluteTtl: read.seconds(env, 'COOKIE_ABSOLUTE_TTL', 2_592_000),
    sessionIdleTtl: read.seconds(env, 'SESSION_IDLE_TTL', 7200),
    sessionAbsoluteTtl: read.seconds(env, 'SESSION_ABSOLUTE_TTL', 604_800),
    loginLimitAccount: read.count(env, 'LOGIN_LIMIT_ACCOUNT', 10, LIMIT_MAX),
    loginLimitAddress: read.count(env, 'LOGIN_LIMIT_ADDRESS', 100, LIMIT_MAX),
    signInCap: read.count(env, 'SIGN_IN_CAP', 100, CAP_MAX),
    cookieSecure: read.flag(env, 'COOKIE_SECURE', production),
    ...readCookieNames(env),
    trustProxy: readTrustProxy(env, production),
    allowedOrigins: read.origins(env),
    docs: read.flag(env, 'DOCS', !production),
    metrics: read.flag(env, 'METRICS', !production),
    registrationOpen: isRegistrationOpen(env, production),
    passwordWords: read.passwordWords(env),
  })
  refuseContradictions(config)
  return config
}
