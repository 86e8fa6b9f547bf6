import { isIPv4 } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { hasSeedPassword, seedDevelopmentAccounts } from 'fastify-identity/accounts'
import type { Config } from 'fastify-identity/config'
import { ConfigInvalid } from 'fastify-identity/errors'

/** True if only this machine can connect. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}

/** The listener chooses the address: fastify-cli has its own options for it. */
function closeUnlessLoopback(app: FastifyInstance): void {
  app.addHook('onListen', async function keepWellKnownAccountsPrivate() {
    const address = app.server.address()
    if (address !== null && typeof address === 'object' && isLoopback(address.address)) return
    app.log.fatal('Stopping: other machines could use the well known development accounts.')
    await app.close()
  })
}

/**
 * Adds the development accounts to an empty database. Everybody knows their passwords, so this happens only if no
 * other machine can connect. In production, a database with these accounts is refused.
 * @throws CONFIG_INVALID, STORE_UNAVAILABLE
 */
export async function seedForDevelopment(app: FastifyInstance, config: Config): Promise<void> {
  const isPrivate = !config.production && isLoopback(config.host)
  const isEmpty = (await app.accounts.count()) === 0
  if (isEmpty && isPrivate) await seedDevelopmentAccounts(app.accounts, app.log)
  if (isEmpty && config.production) {
    app.log.warn('There is no account yet: npx fastify-identity account add NAME --role admin')
  }
  if (isEmpty && !config.production && !isPrivate) {
    throw new ConfigInvalid(
      'HOST must be a loopback address while there are no accounts but the well known ones of development: add an account, or set NODE_ENV=production.',
    )
  }
  if (!(await hasSeedPassword(app.accounts))) return
  if (isPrivate) closeUnlessLoopback(app)
  else
    throw new ConfigInvalid(
      config.databaseUrl === null
        ? 'DATA_DIR holds a development account with its well known password: use another directory.'
        : 'DATABASE_URL holds a development account with its well known password: use another database.',
    )
}
