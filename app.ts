import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import { type Clock, developmentSecret } from 'fastify-identity'
import accounts from 'fastify-identity/accounts'
import apiKeyAuth from 'fastify-identity/api-key-auth'
import audit from 'fastify-identity/audit'
import {
  type Config,
  type Environment,
  isAddressRange,
  isOneSentence,
  readConfig,
  startFault,
} from 'fastify-identity/config'
import cookieAuth from 'fastify-identity/cookie-auth'
import csrf from 'fastify-identity/csrf'
import deviceBinding from 'fastify-identity/device-binding'
import identity from 'fastify-identity/identity'
import live from 'fastify-identity/live'
import metrics from 'fastify-identity/metrics'
import sessionAuth from 'fastify-identity/session-auth'
import signIns from 'fastify-identity/sign-ins'
import stores from 'fastify-identity/stores'
import throttle from 'fastify-identity/throttle'
import tokenAuth from 'fastify-identity/token-auth'
import { seedForDevelopment } from './config/development-accounts.js'
import { mailOptions } from './config/mail.js'
import { originsAt } from './config/public-origins.js'
import { apiRoutes } from './routes/api.js'
import docs from './routes/docs.js'
import { drainConnections } from './routes/http/drain.js'
import { answerClientError, quietSerializers } from './routes/http/quiet-log.js'
import { answerUnroutable, useSecurityHeaders } from './routes/http/security-headers.js'
import { logDestination } from './routes/log-destination.js'
import { pageRoutes } from './routes/page.js'

export interface UserCenterOptions {
  /** Defaults to `process.env`. */
  readonly env?: Environment
  readonly clock?: Clock
  /** Replaces Redis' own clock, in tests whose clock is not the machine's. */
  readonly referenceClock?: Clock
  /** True if the user center owns the process: an invalid environment then ends it with one sentence, not a stack. */
  readonly standalone?: boolean
}

/** In bytes. Credentials are short. A larger body is refused before it is read (`BODY_TOO_LARGE`). */
const BODY_LIMIT = 16 * 1024

/** Trusts nobody if the list is empty or malformed. The plugin refuses to start on a malformed one. */
function trustedProxies(env: Environment): boolean | string[] {
  const proxies = (env.TRUST_PROXY ?? '').split(',').map((entry) => entry.trim())
  if (proxies.length === 1 && proxies[0] === 'true') return true
  // Not an empty list: Fastify would then parse the proxy headers of every request and believe none.
  return proxies.every(isAddressRange) ? proxies : false
}

/** The server's options for an environment. The plugin refuses an invalid environment. */
export function serverOptions(env: Environment): FastifyServerOptions {
  return {
    trustProxy: trustedProxies(env),
    bodyLimit: BODY_LIMIT,
    requestTimeout: 30_000,
    // Off, because routes/http/drain.ts answers while the server stops.
    return503OnClosing: false,
    // A username of 64 characters can take 128 UTF-16 units of a path.
    routerOptions: { maxParamLength: 256 },
    frameworkErrors: answerUnroutable,
    clientErrorHandler: answerClientError,
  }
}

/** Standard error may lead to the same full device. The warning is then lost too. */
function tellLogLost({ message }: Error): void {
  if (process.stderr.listenerCount('error') === 0) process.stderr.on('error', () => {})
  process.stderr.write(`fastify-identity cannot write its log, and drops lines: ${message}\n`)
}

/** The options that `fastify start -o` gives to the server and the plugin. */
export const options: FastifyServerOptions & UserCenterOptions = {
  ...serverOptions(process.env),
  // fastify-cli adds the level.
  logger: { serializers: quietSerializers, stream: logDestination(1, tellLogLost) },
  standalone: true,
}

function prepareServer(app: FastifyInstance): void {
  app.setValidatorCompiler(TypeBoxValidatorCompiler)
  useSecurityHeaders(app)
  drainConnections(app)
}

/** The longest life of any sign-in, in seconds. The end of a sign-in is remembered for this time. */
function longestTtl(config: Config): number {
  const { refreshTokenTtl, sessionAbsoluteTtl, rememberTtl, cookieAbsoluteTtl, apiKeyTtlMax } = config
  return Math.max(refreshTokenTtl, sessionAbsoluteTtl, rememberTtl, cookieAbsoluteTtl, apiKeyTtlMax)
}

/** Registers the suite in the order of its dependencies, and the modes in the order of the search. */
async function registerSuite(
  app: FastifyInstance,
  config: Config,
  { clock = Date.now, referenceClock }: UserCenterOptions,
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
    mail: await mailOptions(config, app.log),
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
}

/** Only a warning: secrets mounted into a container have such modes, and no other user is there. */
function warnOfOpenFiles(app: FastifyInstance, { tokenKeys }: Config): void {
  for (const file of tokenKeys?.openFiles ?? []) {
    app.log.warn({ file }, 'TOKEN_PRIVATE_KEY names a file that is open to every user of this machine.')
  }
}

async function build(app: FastifyInstance, options: UserCenterOptions): Promise<void> {
  const config = readConfig(options.env ?? process.env)
  warnOfOpenFiles(app, config)
  prepareServer(app)
  try {
    await registerSuite(app, config, options)
    await seedForDevelopment(app, config)
  } catch (error) {
    throw startFault(error, config)
  }
  if (config.docs) await app.register(docs, config)
  await app.register(apiRoutes, config)
  // Never loaded in production.
  if (config.lab) {
    await app.register((await import('./routes/lab.js')).labRoutes)
    await app.register((await import('./routes/guide.js')).guideRoutes)
  }
  await app.register(pageRoutes)
}

/**
 * The user center, as a plugin: `fastify start -o dist/app.js` runs it.
 * @throws CONFIG_INVALID with one sentence that names the variable
 */
export default async function userCenter(app: FastifyInstance, options: UserCenterOptions): Promise<void> {
  try {
    await build(app, options)
  } catch (error) {
    if (!(options.standalone && isOneSentence(error))) throw error
    process.stderr.write(`fastify-identity cannot start: ${error.message}\n`)
    process.exit(1)
  }
}
