import { isIP } from 'node:net'
import { KEY_CAP, KEY_CAP_MAX, KEY_TTL_MAX } from '../api-key/options.js'
import { ConfigInvalid } from '../errors.js'
import { CAP_MAX } from '../sign-ins/cap.js'
import { LIMIT_MAX } from '../throttle/options.js'
import { type CookieNames, readCookieName } from './cookie-names.js'
import { type MailServer, readMail } from './mail.js'
import { readRelyingParty } from './relying-party.js'
import { isOneSentence, startFault } from './start-fault.js'
import { readTokenKeys } from './token-keys.js'
import type { Environment } from './values.js'
import * as read from './values.js'

export type { CookieNames, Environment, MailServer }
export { isOneSentence, startFault }

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']

function isRegistrationOpen(env: Environment, production: boolean): boolean {
  return read.choice(env, 'REGISTRATION', ['open', 'closed'], production ? 'closed' : 'open') === 'open'
}

function isSet(env: Environment, name: string): boolean {
  return read.text(env, name, '') !== ''
}

/** `set NODE_ENV=production &&` leaves a trailing space. Neither that nor upper case may mean development. */
function isProduction(env: Environment): boolean {
  return read.text(env, 'NODE_ENV', '').toLowerCase() === 'production'
}

function refuseUnsafeProduction(env: Environment): void {
  // A list of nothing but commas holds no secret either.
  if (read.list(env, 'AUTH_SECRETS').length === 0) {
    throw new ConfigInvalid(
      'AUTH_SECRETS is required in production: one or more secrets of at least 32 bytes.',
    )
  }
  const scaledOut = isSet(env, 'REDIS_URL') && isSet(env, 'DATABASE_URL')
  if (read.flag(env, 'LAB', false)) {
    throw new ConfigInvalid('LAB=true is refused in production: the experiments are for learning.')
  }
  if (!scaledOut && !read.flag(env, 'SINGLE_INSTANCE', false)) {
    throw new ConfigInvalid(
      'Production needs both REDIS_URL and DATABASE_URL, or SINGLE_INSTANCE=true to run one process on the embedded stores.',
    )
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
  // Otherwise every client could forge its address, and the throttle would limit nobody.
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

/** Off without secure cookies, because no browser binds such a sign-in. */
function isDeviceBindingOn(env: Environment, production: boolean): boolean {
  const isSecure = read.flag(env, 'COOKIE_SECURE', production)
  const isOn = read.choice(env, 'DEVICE_BINDING', ['on', 'off'], isSecure ? 'on' : 'off') === 'on'
  if (isOn && !isSecure) throw new ConfigInvalid('DEVICE_BINDING must not be on without COOKIE_SECURE.')
  return isOn
}

/**
 * The settings: how each field of the config is read from its variable. TTLs are in seconds. The README's pages and
 * `.env.example` name the same variables with the same defaults (test/repository.test.ts).
 */
const SETTINGS = {
  host: (env) => read.text(env, 'HOST', '127.0.0.1'),
  /** The origin of this server as people reach it. null: not set. */
  publicUrl: (env, production) => read.publicUrl(env, production),
  dataDir: (env) => read.text(env, 'DATA_DIR', './data'),
  redisUrl: (env) => read.redisUrl(env),
  /** null: accounts are in `dataDir`. */
  databaseUrl: (env) => read.databaseUrl(env),
  /** null: generated into `dataDir`, in development only. */
  secrets: (env, production) => read.secrets(env, production),
  /** null: the secrets sign tokens too. */
  tokenKeys: (env) => readTokenKeys(env),
  tokenIssuer: (env) => read.text(env, 'TOKEN_ISSUER', 'fastify-identity'),
  tokenAudience: (env) => read.text(env, 'TOKEN_AUDIENCE', 'fastify-identity'),
  accessTokenTtl: (env) => read.seconds(env, 'ACCESS_TOKEN_TTL', 900),
  refreshTokenTtl: (env) => read.seconds(env, 'REFRESH_TOKEN_TTL', 604_800),
  refreshGrace: (env) => read.seconds(env, 'REFRESH_GRACE', 10, 0),
  cookieTtl: (env) => read.seconds(env, 'COOKIE_TTL', 3600),
  rememberTtl: (env) => read.seconds(env, 'REMEMBER_TTL', 604_800),
  cookieAbsoluteTtl: (env) => read.seconds(env, 'COOKIE_ABSOLUTE_TTL', 2_592_000),
  sessionIdleTtl: (env) => read.seconds(env, 'SESSION_IDLE_TTL', 7200),
  sessionAbsoluteTtl: (env) => read.seconds(env, 'SESSION_ABSOLUTE_TTL', 604_800),
  /** Failed attempts at one account in 15 minutes. */
  loginLimitAccount: (env) => read.count(env, 'LOGIN_LIMIT_ACCOUNT', 10, LIMIT_MAX),
  /** Failed attempts from one address in 15 minutes. */
  loginLimitAddress: (env) => read.count(env, 'LOGIN_LIMIT_ADDRESS', 100, LIMIT_MAX),
  /** Live sign-ins of one account. */
  signInCap: (env) => read.count(env, 'SIGN_IN_CAP', 100, CAP_MAX),
  /** Live API keys of one account. */
  apiKeyCap: (env) => read.count(env, 'API_KEY_CAP', KEY_CAP, KEY_CAP_MAX),
  /** The longest lifetime of an API key. */
  apiKeyTtlMax: (env) => read.seconds(env, 'API_KEY_TTL_MAX', KEY_TTL_MAX),
  cookieSecure: (env, production) => read.flag(env, 'COOKIE_SECURE', production),
  /** Whether sign-ins are bound to their devices, in browsers with this feature. */
  deviceBinding: isDeviceBindingOn,
  /** Before the `__Host-` prefix. */
  cookieName: (env) => readCookieName(env, 'COOKIE_NAME', 'identity'),
  /** Before the `__Host-` prefix. */
  sessionName: (env) => readCookieName(env, 'SESSION_NAME', 'session'),
  /** Addresses and CIDR ranges of the reverse proxies; `true` trusts every peer. */
  trustProxy: readTrustProxy,
  allowedOrigins: (env) => read.origins(env),
  /** Whether `/docs` is served. */
  docs: (env, production) => read.flag(env, 'DOCS', !production),
  /** null: no passkeys. */
  rpId: readRelyingParty,
  /** Whether the experiments at `/lab` are served, to this machine only. */
  lab: (env, production) => read.flag(env, 'LAB', !production),
  /** Whether `/metrics` is served. */
  metrics: (env, production) => read.flag(env, 'METRICS', !production),
  /** Whether anybody may create an account. */
  registrationOpen: isRegistrationOpen,
  /** null: mails are not sent. */
  mail: readMail,
  /** No password may contain one of them. */
  passwordWords: (env) => read.passwordWords(env),
} satisfies Record<string, (env: Environment, production: boolean) => unknown>

type Settings = { readonly [Name in keyof typeof SETTINGS]: ReturnType<(typeof SETTINGS)[Name]> }

/** The user center's settings, read once from the environment. TTLs are in seconds. */
export interface Config extends Settings {
  readonly production: boolean
}

/** The first lifetime must not be longer than the second one, which would silently shorten it. */
const NOT_LONGER = [
  ['ACCESS_TOKEN_TTL', 'accessTokenTtl', 'REFRESH_TOKEN_TTL', 'refreshTokenTtl'],
  ['REFRESH_GRACE', 'refreshGrace', 'REFRESH_TOKEN_TTL', 'refreshTokenTtl'],
  ['COOKIE_TTL', 'cookieTtl', 'COOKIE_ABSOLUTE_TTL', 'cookieAbsoluteTtl'],
  ['REMEMBER_TTL', 'rememberTtl', 'COOKIE_ABSOLUTE_TTL', 'cookieAbsoluteTtl'],
  ['SESSION_IDLE_TTL', 'sessionIdleTtl', 'SESSION_ABSOLUTE_TTL', 'sessionAbsoluteTtl'],
] as const

function refuseContradictions(config: Config): void {
  for (const [name, field, limitName, limit] of NOT_LONGER) {
    if (config[field] > config[limit])
      throw new ConfigInvalid(`${name} must not be longer than ${limitName}.`)
  }
  if (config.cookieName === config.sessionName) {
    throw new ConfigInvalid('COOKIE_NAME and SESSION_NAME must differ.')
  }
}

/** Variables that only fastify-cli or `refuseUnsafeProduction` reads, checked in every environment. */
function checkOthers(env: Environment): void {
  read.choice(env, 'LOG_LEVEL', LOG_LEVELS, 'info')
  read.port(env)
  read.flag(env, 'SINGLE_INSTANCE', false)
}

/**
 * Reads, checks and freezes the settings.
 * @throws CONFIG_INVALID with one sentence that names the variable
 */
export function readConfig(env: Environment): Config {
  const production = isProduction(env)
  if (production) refuseUnsafeProduction(env)
  checkOthers(env)
  const entries = Object.entries(SETTINGS).map(([field, read]) => [field, read(env, production)])
  const settings: Settings = Object.fromEntries(entries)
  const config = Object.freeze({ production, ...settings })
  refuseContradictions(config)
  return config
}
