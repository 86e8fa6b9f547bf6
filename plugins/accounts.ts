import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { createAccounts } from './lib/accounts/accounts.js'
import type { Accounts } from './lib/accounts/contract.js'
import type { AccountSource, Clock } from './lib/contract.js'
import { databaseFile, openDatabase } from './lib/database.js'
import { OptionInvalid } from './lib/errors.js'
import { passwords } from './lib/passwords.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Where sign-ins get their accounts from: ours, or the application's. */
    accountSource: AccountSource
    /** Our own accounts. @throws OPTION_INVALID when the application brought its own */
    readonly accounts: Accounts
  }
}

export type {
  AccountDetails,
  AccountPage,
  Accounts,
  NewAccount,
  OwnProfile,
  Role,
} from './lib/accounts/contract.js'
export { ROLES } from './lib/accounts/contract.js'
export { seedDevelopmentAccounts } from './lib/accounts/seed.js'

/** Accounts in the embedded database of a directory. */
export interface OwnAccountsOptions {
  /** Made, with mode 0700, when it is not there. */
  readonly dataDir: string
  readonly clock?: Clock
  readonly source?: undefined
}

/** Accounts that the application has already. */
export interface BroughtAccountsOptions {
  readonly source: AccountSource
  readonly dataDir?: undefined
  readonly clock?: undefined
}

export type AccountsOptions = OwnAccountsOptions | BroughtAccountsOptions

/** @throws OPTION_INVALID, STORE_UNAVAILABLE, DEPENDENCY_MISSING, all at boot */
async function accountsPlugin(app: FastifyInstance, options: AccountsOptions): Promise<void> {
  if (options.source !== undefined) return useSource(app, options)
  await useDatabase(app, options)
}

function useSource(app: FastifyInstance, { source, dataDir, clock }: BroughtAccountsOptions): void {
  if (dataDir !== undefined || clock !== undefined) {
    throw new OptionInvalid('source', 'brings its own accounts: dataDir and clock would do nothing')
  }
  if (typeof source?.verify !== 'function' || typeof source.find !== 'function') {
    throw new OptionInvalid('source', 'wants the functions verify and find')
  }
  app.decorate('accountSource', source)
  app.decorate('accounts', {
    getter() {
      throw new OptionInvalid('source', 'brings its own accounts: app.accounts is not there')
    },
  })
}

async function useDatabase(app: FastifyInstance, options: OwnAccountsOptions): Promise<void> {
  const { dataDir, clock = Date.now } = options
  if (typeof dataDir !== 'string' || dataDir === '') {
    throw new OptionInvalid('dataDir', 'wants the path of a directory, or source an AccountSource')
  }
  if (typeof clock !== 'function') throw new OptionInvalid('clock', 'wants a function')
  const database = await openDatabase(databaseFile(dataDir))
  app.addHook('onClose', () => database.close())
  const accounts = createAccounts({ db: database.kysely, passwords, clock })
  app.decorate('accountSource', accounts)
  app.decorate('accounts', { getter: () => accounts })
}

export default fp(accountsPlugin, { name: 'fastify-identity-accounts', fastify: '5.x' })
