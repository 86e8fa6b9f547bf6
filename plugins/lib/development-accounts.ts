import { isIPv4 } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { seedDevelopmentAccounts } from './accounts/seed.js'
import type { Config } from './config.js'
import { ConfigInvalid } from './errors.js'

/** True where only this machine can connect. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}

/**
 * Gives an empty development database accounts to try. Everybody knows their passwords, so only where
 * nobody else can connect.
 * @throws CONFIG_INVALID, STORE_UNAVAILABLE
 */
export async function seedForDevelopment(app: FastifyInstance, config: Config): Promise<void> {
  if ((await app.accounts.count()) > 0) return
  if (config.production) {
    app.log.warn('There is no account yet: npx fastify-identity account add NAME --role admin')
    return
  }
  if (!isLoopback(config.host)) {
    throw new ConfigInvalid(
      'HOST must be a loopback address while there are no accounts but the well known ones of development: add an account, or set NODE_ENV=production.',
    )
  }
  await seedDevelopmentAccounts(app.accounts, app.log)
}
