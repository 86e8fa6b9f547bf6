import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import {
  type Config,
  type Environment,
  isAddressRange,
  isOneSentence,
  readConfig,
  startFault,
} from 'fastify-identity/config'
import { seedForDevelopment } from './config/development-accounts.js'
import { registerSuite, type SuiteClocks } from './config/suite.js'
import { apiRoutes } from './routes/api.js'
import docs from './routes/docs.js'
import { drainConnections } from './routes/http/drain.js'
import { logDestination } from './routes/http/log-destination.js'
import { answerClientError, quietSerializers } from './routes/http/quiet-log.js'
import { answerUnroutable, useSecurityHeaders } from './routes/http/security-headers.js'
import { pageRoutes } from './routes/page.js'

export interface UserCenterOptions extends SuiteClocks {
  /** Defaults to `process.env`. */
  readonly env?: Environment
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
