import { isIPv4 } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { hasSeedPassword, seedDevelopmentAccounts } from 'fastify-identity/accounts'
import type { Config } from 'fastify-identity/config'
import { ConfigInvalid } from 'fastify-identity/errors'

/** True where only this machine can connect. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}

/** The address that is listened on is the listener's to choose (fastify-cli has options of its own). */
function closeUnlessLoopback(app: FastifyInstance): void {
  app.addHook('onListen', async function keepWellKnownAccountsPrivate() {
    const address = app.server.address()
    if (address !== null && typeof address === 'object' && isLoopback(address.address)) return
    app.log.fatal('Stopping: the well known accounts of development would be open to other machines.')
    await app.close()
  })
}

/**
 * Gives an empty development database accounts to try. Everybody knows their passwords, so only where
 * nobody else can connect; and a database that has them is refused in production.
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
