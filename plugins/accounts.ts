import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { createAccounts } from './lib/accounts/accounts.js'
import type { Accounts, RaisedAccount } from './lib/accounts/contract.js'
import { EpochDistributor } from './lib/accounts/epoch-distributor.js'
import { createEpochLedger } from './lib/accounts/epoch-ledger.js'
import type { AccountSource, Clock } from './lib/contract.js'
import { databaseFile, type EmbeddedDatabase, openDatabase } from './lib/database.js'
import { OptionInvalid } from './lib/errors.js'
import { passwords } from './lib/passwords.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Where sign-ins get their accounts from: ours, or the application's. */
    accountSource: AccountSource
    /** Our own accounts. @throws OPTION_INVALID when the application brought its own */
    readonly accounts: Accounts
    /** Whether the accounts are ours: only then is there anything to change. */
    readonly hasOwnAccounts: boolean
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
  app.decorate('hasOwnAccounts', false)
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
  const onRaised = distributeEpochs(app, database)
  const accounts = createAccounts({ db: database.kysely, passwords, clock, onRaised })
  app.decorate('accountSource', accounts)
  app.decorate('hasOwnAccounts', true)
  app.decorate('accounts', { getter: () => accounts })
}

/**
 * Has the sign-ins ended of accounts whose epoch was raised, by this process or by one that did not live to do
 * it. Without sign-ins there is nothing to end, and what was raised waits for a process that has them.
 */
function distributeEpochs(app: FastifyInstance, database: EmbeddedDatabase) {
  const distributor = new EpochDistributor({
    ledger: createEpochLedger(database.kysely),
    raise: ({ account, spare }) => app.signIns.raiseEpoch(account, { spare }),
    log: app.log,
  })
  app.addHook('onReady', async function startDistributing() {
    if (app.hasDecorator('signIns')) await distributor.start()
  })
  app.addHook('onClose', async function closeAccounts() {
    await distributor.close()
    await database.close()
  })
  return async (raised: RaisedAccount): Promise<void> => {
    if (app.hasDecorator('signIns')) await distributor.distribute(raised)
  }
}

export default fp(accountsPlugin, { name: 'fastify-identity-accounts', fastify: '5.x' })
