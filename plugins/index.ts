import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import accounts from './accounts.js'
import type { ApiKeyAuthOptions } from './api-key-auth.js'
import cookieAuth, { type CookieAuthOptions } from './cookie-auth.js'
import csrf, { type CsrfOptions } from './csrf.js'
import type { DeviceBindingOptions } from './device-binding.js'
import type { FactorsOptions } from './factors.js'
import identity, { type IdentityOptions } from './identity.js'
import type { ModeName } from './lib/contract.js'
import { type Known, refuseUnknown } from './lib/options.js'
import {
  accountsOptions,
  type BuiltInMode,
  checkModes,
  type SuiteAccounts,
  storesOptions,
} from './lib/suite-options.js'
import type { LiveOptions } from './live.js'
import type { MetricsOptions } from './metrics.js'
import sessionAuth, { type SessionAuthOptions } from './session-auth.js'
import signIns from './sign-ins.js'
import stores, { type StoresOptions } from './stores.js'
import type { ThrottleOptions } from './throttle.js'
import tokenAuth, { type TokenAuthOptions } from './token-auth.js'

export type { PostgresOptions } from './accounts.js'
export { seedDevelopmentAccounts } from './accounts.js'
export type {
  ApiKeyAuthOptions,
  ApiKeyInfo,
  ApiKeyIssued,
  ApiKeySource,
  ApiKeys,
  FoundApiKey,
  NewApiKey,
  StoredApiKey,
} from './api-key-auth.js'
export type { Audit, AuditEvent, AuditListener, AuditReport, AuditType } from './audit.js'
export { AUDIT_CHANNEL } from './audit.js'
export type { CookieAuthOptions, CookieIssued } from './cookie-auth.js'
export type { CsrfOptions } from './csrf.js'
export type { DeviceBindingOptions } from './device-binding.js'
export type {
  ChallengePurpose,
  ChallengeScope,
  FactorInfo,
  FactorKind,
  FactorProof,
  FactorSource,
  Factors,
  FactorsOptions,
  FactorUse,
  FinishedSignIn,
  StoredFactor,
  Verified,
} from './factors.js'
export type { IdentityOptions, ModeRegistry, SecondFactors } from './identity.js'
export { developmentSecret } from './lib/config/development-secret.js'
// A star, so that an application can add a mode by `declare module 'fastify-identity' { interface AuthModes … }`.
export * from './lib/contract.js'
/** For a mode of your own that puts claims where a client can read them. */
export { checkClaims } from './lib/credentials/sensitive-claims.js'
export type { Guard, GuardOptions } from './lib/identity/guard.js'
export type { SignInRecord, StateStore } from './lib/stores/contract.js'
export type { Live, LiveOptions, LiveSocket } from './live.js'
export type { IdentityMetrics, MetricsOptions } from './metrics.js'
export type { SessionAuthOptions, SessionIssued } from './session-auth.js'
export type { Ending, SignIns } from './sign-ins.js'
export type { StoresOptions } from './stores.js'
export type { Credentials, Throttle, ThrottleOptions } from './throttle.js'
export type {
  PairInCookie,
  PublicJwk,
  PublicKeySet,
  RefreshCookie,
  TokenAuthOptions,
  TokenPair,
} from './token-auth.js'

export interface SuiteOptions extends IdentityOptions, CsrfOptions {
  /** The place of all state: `{ dataDir }`, `{ redisUrl }`, `{ redis }`, `{ store }` or `{ memory: true }`. */
  readonly state: StoresOptions
  /**
   * The application's own accounts, or `{ dataDir }` or `{ databaseUrl, pool }` for the suite's, optionally with
   * `passwordWords`, `hashesAtOnce`, `events` and `mail`.
   */
  readonly accounts: SuiteAccounts
  /** The modes, in the order in which guards try them. Defaults to token, session, cookie. */
  readonly modes?: readonly BuiltInMode[]
  /** `Secure` cookies with the `__Host-` prefix. Defaults to true. Use false over plain HTTP. */
  readonly secure?: boolean
  /** The maximum number of live sign-ins of one account. A new one beyond it ends the oldest. Defaults to 100. */
  readonly signInCap?: number
  /** Registers the throttle, `app.throttle`, which counts sign-ins by password. `{}` for its defaults. */
  readonly throttle?: Omit<ThrottleOptions, 'secure'>
  /** Registers the metrics, `app.identityMetrics`. `{}` for its defaults. */
  readonly metrics?: MetricsOptions
  /** Registers live connections, `app.live` and `request.endSignal`: `{}`, or the maximum for each sign-in (`cap`). */
  readonly live?: LiveOptions
  /**
   * Binds the sign-ins of cookie and session mode to their devices, in browsers with Device Bound Session Credentials.
   * Needs secure cookies. Off by default.
   */
  readonly deviceBinding?: DeviceBindingOptions
  /**
   * Registers second factors, `app.factors`. Needs `throttle`, and with accounts of your own a `source`. `{}` allows
   * authenticator apps and recovery codes. Passkeys need `rpId`.
   */
  readonly factors?: Omit<FactorsOptions, 'secure'>
  /** Registers API keys, asked before all other modes. `{}` for their defaults. */
  readonly apiKey?: ApiKeyAuthOptions
  readonly token?: Omit<TokenAuthOptions, 'secure'>
  readonly session?: Omit<SessionAuthOptions, 'secure'>
  readonly cookie?: Omit<CookieAuthOptions, 'secure'>
}

const OPTIONS: Known<SuiteOptions> = {
  secrets: true,
  state: true,
  accounts: true,
  modes: true,
  secure: true,
  clock: true,
  onRefused: true,
  unauthenticatedStatus: true,
  allowedOrigins: true,
  cors: true,
  signInCap: true,
  throttle: true,
  metrics: true,
  live: true,
  deviceBinding: true,
  apiKey: true,
  factors: true,
  token: true,
  session: true,
  cookie: true,
}

async function registerMode(app: FastifyInstance, name: ModeName, options: SuiteOptions): Promise<void> {
  const { secure } = options
  if (name === 'token') await app.register(tokenAuth, { ...options.token, secure })
  else if (name === 'session') await app.register(sessionAuth, { ...options.session, secure })
  else await app.register(cookieAuth, { ...options.cookie, secure })
}

/**
 * The whole suite in one register call.
 * @throws OPTION_INVALID, at boot, naming the option and what it wanted
 */
async function suite(app: FastifyInstance, options: SuiteOptions): Promise<void> {
  refuseUnknown(options, OPTIONS)
  const modes = checkModes(options)
  const { clock, secrets, onRefused, unauthenticatedStatus, allowedOrigins, cors } = options
  // Optional plugins are only loaded if they are used.
  if (options.metrics) await app.register(import('./metrics.js'), options.metrics)
  await app.register(stores, storesOptions(options))
  await app.register(accounts, accountsOptions(options))
  await app.register(csrf, { allowedOrigins, cors })
  await app.register(identity, { secrets, clock, onRefused, unauthenticatedStatus })
  await app.register(signIns, { clock, cap: options.signInCap })
  if (options.apiKey) await app.register(import('./api-key-auth.js'), options.apiKey)
  // Before the modes, because they use it.
  if (options.deviceBinding) await app.register(import('./device-binding.js'), options.deviceBinding)
  for (const name of modes) await registerMode(app, name, options)
  if (options.live) await app.register(import('./live.js'), options.live)
  if (options.throttle) {
    await app.register(import('./throttle.js'), { ...options.throttle, secure: options.secure })
  }
  if (options.factors) {
    await app.register(import('./factors.js'), { ...options.factors, secure: options.secure })
  }
}

export default fp(suite, { fastify: '5.x', name: 'fastify-identity' })
