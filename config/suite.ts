import type { FastifyInstance } from 'fastify'
import { type Clock, developmentSecret } from 'fastify-identity'
import accounts from 'fastify-identity/accounts'
import apiKeyAuth from 'fastify-identity/api-key-auth'
import audit from 'fastify-identity/audit'
import type { Config } from 'fastify-identity/config'
import cookieAuth from 'fastify-identity/cookie-auth'
import csrf from 'fastify-identity/csrf'
import deviceBinding from 'fastify-identity/device-binding'
import factors from 'fastify-identity/factors'
import identity from 'fastify-identity/identity'
import live from 'fastify-identity/live'
import metrics from 'fastify-identity/metrics'
import sessionAuth from 'fastify-identity/session-auth'
import signIns from 'fastify-identity/sign-ins'
import stores from 'fastify-identity/stores'
import throttle from 'fastify-identity/throttle'
import tokenAuth from 'fastify-identity/token-auth'
import { mailOptions } from './mail.js'
import { originsAt } from './public-origins.js'

export interface SuiteClocks {
  readonly clock?: Clock
  /** Replaces Redis' own clock, in tests whose clock is not the machine's. */
  readonly referenceClock?: Clock
}

/** The longest life of any sign-in, in seconds. The server remembers for this long that a sign-in has ended. */
function longestTtl(config: Config): number {
  const { refreshTokenTtl, sessionAbsoluteTtl, rememberTtl, cookieAbsoluteTtl, apiKeyTtlMax } = config
  return Math.max(refreshTokenTtl, sessionAbsoluteTtl, rememberTtl, cookieAbsoluteTtl, apiKeyTtlMax)
}

/** The name that authenticator apps and browsers show, and the domain of passkeys. */
function relyingParty({ publicUrl, rpId }: Config) {
  if (publicUrl === null) return { issuer: 'User center' }
  const { hostname } = new URL(publicUrl)
  return rpId === null
    ? { issuer: hostname.replaceAll(':', '.') }
    : { issuer: hostname, rpId, rpName: hostname, origins: [publicUrl] }
}

/** Registers the plugins in the order of their dependencies, and the modes in the order in which a guard tries them. */
export async function registerSuite(
  app: FastifyInstance,
  config: Config,
  { clock = Date.now, referenceClock }: SuiteClocks,
): Promise<void> {
  const { dataDir, redisUrl, databaseUrl, cookieSecure: secure, rememberTtl, passwordWords } = config
  const evictionRisk = config.production ? 'refuse' : 'warn'
  const secrets = config.secrets ?? [developmentSecret(dataDir)]
  // The metrics come first, because they measure only the plugins after them.
  if (config.metrics) await app.register(metrics)
  await app.register(audit, { clock })
  await app.register(
    stores,
    redisUrl === null ? { dataDir, clock } : { redisUrl, clock, evictionRisk, referenceClock },
  )
  await app.register(accounts, {
    ...(databaseUrl === null ? { dataDir } : { databaseUrl }),
    clock,
    passwordWords,
    events: true,
    mail: await mailOptions(app, config),
  })
  await app.register(csrf, { allowedOrigins: config.allowedOrigins })
  await app.register(identity, { secrets, clock, unauthenticatedStatus: 403 })
  await app.register(signIns, { clock, cap: config.signInCap, longestTtl: longestTtl(config) })
  await app.register(apiKeyAuth, { cap: config.apiKeyCap, ttlMax: config.apiKeyTtlMax })
  // Before the modes, because they use it.
  if (config.deviceBinding) await app.register(deviceBinding, { mode: 'on' })
  await app.register(tokenAuth, {
    secure,
    // A proof names the server's public address. Without that setting, no token can be bound to a key.
    ...(config.publicUrl !== null && { dpop: { origins: originsAt(config.publicUrl) } }),
    privateKeys: config.tokenKeys?.keys,
    issuer: config.tokenIssuer,
    audience: config.tokenAudience,
    accessTtl: config.accessTokenTtl,
    refreshTtl: config.refreshTokenTtl,
    refreshGrace: config.refreshGrace,
  })
  await app.register(sessionAuth, {
    secure,
    name: config.sessionName,
    idleTtl: config.sessionIdleTtl,
    absoluteTtl: config.sessionAbsoluteTtl,
    rememberTtl,
  })
  await app.register(cookieAuth, {
    secure,
    name: config.cookieName,
    ttl: config.cookieTtl,
    rememberTtl,
    absoluteTtl: config.cookieAbsoluteTtl,
  })
  await app.register(live)
  await app.register(throttle, {
    secure,
    accountLimit: config.loginLimitAccount,
    addressLimit: config.loginLimitAddress,
  })
  await app.register(factors, { secure, ...relyingParty(config) })
}
