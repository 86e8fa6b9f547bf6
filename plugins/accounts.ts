import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { createAccounts } from './lib/accounts/accounts.js'
import type { AccountEvents, Accounts } from './lib/accounts/contract.js'
import { distributeEpochs } from './lib/accounts/epoch-distribution.js'
import type { HashQueue } from './lib/accounts/hash-queue.js'
import { keepEvents } from './lib/accounts/keep-events.js'
import {
  type AccountsOptions,
  type BroughtAccountsOptions,
  OPTIONS,
  type OwnAccountsOptions,
  type PostgresAccountsOptions,
} from './lib/accounts/options.js'
import { createPasswordPolicy, type PasswordPolicy } from './lib/accounts/password-policy.js'
import { passwords, passwordsFor } from './lib/accounts/passwords.js'
import { withTextIds } from './lib/accounts/text-ids.js'
import type { AccountSource } from './lib/contract.js'
import type { AccountsDatabase } from './lib/database/accounts-database.js'
import { databaseFile, openDatabase } from './lib/database/embedded.js'
import { OptionInvalid } from './lib/errors.js'
import type { AccountMail } from './lib/mail/account-mail.js'
import { keepMail } from './lib/mail/keep-mail.js'
import { refuseUnknown } from './lib/options.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** The source of accounts for sign-ins: the suite's, or the application's. */
    accountSource: AccountSource
    /** The suite's accounts. @throws OPTION_INVALID if the application has its own */
    readonly accounts: Accounts
    /** The recent audit events of accounts. @throws OPTION_INVALID without the option `events` */
    readonly accountEvents: AccountEvents
    /** Verified addresses and password resets. @throws OPTION_INVALID without the option `mail` */
    readonly accountMail: AccountMail
    /** Whether there is `accountMail`. */
    readonly hasAccountMail: boolean
    /** Decides which passwords may be chosen. @throws OPTION_INVALID if the application has its own accounts */
    readonly passwordPolicy: PasswordPolicy
    /** Whether the suite has the accounts: only then can they be changed. */
    readonly hasOwnAccounts: boolean
  }
}

export type {
  AccountChange,
  AccountDetails,
  AccountEvent,
  AccountEvents,
  AccountPage,
  Accounts,
  EventsQuery,
  ListQuery,
  NewAccount,
  OwnProfile,
  Role,
} from './lib/accounts/contract.js'
export { ROLES } from './lib/accounts/contract.js'
export type {
  AccountsOptions,
  BroughtAccountsOptions,
  OwnAccountsOptions,
  PostgresAccountsOptions,
} from './lib/accounts/options.js'
export type { PasswordFault, PasswordPolicy } from './lib/accounts/password-policy.js'
export { hasSeedPassword, seedDevelopmentAccounts } from './lib/accounts/seed.js'
export { isStored, tellOnceStored } from './lib/accounts/stored-change.js'
export { canonicalUsername } from './lib/accounts/usernames.js'
export type { PostgresOptions } from './lib/database/postgres/options.js'
export type { AccountMail } from './lib/mail/account-mail.js'
export { emailOf } from './lib/mail/address.js'
export type * from './lib/mail/contract.js'
export type { ResetGrant } from './lib/mail/reset.js'

/** @throws OPTION_INVALID, CONFIG_INVALID if a database cannot be used, DEPENDENCY_MISSING, all at boot */
async function accountsPlugin(app: FastifyInstance, options: AccountsOptions): Promise<void> {
  refuseUnknown(options, OPTIONS)
  if (options.source !== undefined) return useSource(app, options)
  await useDatabase(app, options)
}

function useSource(app: FastifyInstance, { source, ...rest }: BroughtAccountsOptions): void {
  if (Object.values(rest).some((value) => value !== undefined)) {
    throw new OptionInvalid('source', 'brings its own accounts: other options would do nothing')
  }
  if (typeof source?.verify !== 'function' || typeof source.find !== 'function') {
    throw new OptionInvalid('source', 'wants the functions verify and find')
  }
  // An application's source may use our hasher too: its queue belongs to the process.
  meter(app, passwords.queue)
  app.decorate('accountSource', withTextIds(source))
  app.decorate('hasOwnAccounts', false)
  app.decorate('hasAccountMail', false)
  for (const name of ['accounts', 'accountEvents', 'accountMail', 'passwordPolicy'] as const) {
    app.decorate(name, {
      getter() {
        throw new OptionInvalid('source', `brings its own accounts: there is no app.${name}`)
      },
    })
  }
}

type DatabaseOptions = OwnAccountsOptions | PostgresAccountsOptions

/** Measures only if metrics are registered. */
function meter(app: FastifyInstance, queue: HashQueue): void {
  if (!app.hasDecorator('identityMetrics')) return
  const leave = app.identityMetrics.meters.hashes(queue)
  app.addHook('onClose', async function leaveHashQueue() {
    leave()
  })
}

async function useDatabase(app: FastifyInstance, options: DatabaseOptions): Promise<void> {
  const { clock = Date.now } = options
  if (typeof clock !== 'function') throw new OptionInvalid('clock', 'wants a function')
  const policy = createPasswordPolicy(options.passwordWords)
  const hasher = passwordsFor(options.hashesAtOnce)
  meter(app, hasher.queue)
  const database = await open(app, options)
  const told = distributeEpochs(app, database)
  const { kysely: db, probe } = database
  const context = { db, probe, passwords: hasher, clock, ...told }
  const accounts = createAccounts(context)
  const events = options.events ? keepEvents(app, database) : null
  const mail = options.mail ? keepMail(app, context, options.mail) : null
  app.decorate('accountSource', accounts)
  app.decorate('hasOwnAccounts', true)
  app.decorate('hasAccountMail', mail !== null)
  app.decorate('accountEvents', {
    getter: () => events ?? refuse('events', 'is not true: there is no app.accountEvents'),
  })
  app.decorate('accountMail', {
    getter: () => mail ?? refuse('mail', 'is missing: there is no app.accountMail'),
  })
  app.decorate('accounts', { getter: () => accounts })
  app.decorate('passwordPolicy', { getter: () => policy })
}

function refuse(option: string, why: string): never {
  throw new OptionInvalid(option, why)
}

async function open(
  app: FastifyInstance,
  { dataDir, databaseUrl, pool }: DatabaseOptions,
): Promise<AccountsDatabase> {
  if (databaseUrl !== undefined) {
    if (dataDir !== undefined) throw new OptionInvalid('dataDir', 'would do nothing with databaseUrl')
    const { openPostgres } = await import('./lib/database/postgres/database.js')
    return openPostgres({ databaseUrl, pool, log: app.log })
  }
  if (typeof dataDir !== 'string' || dataDir === '') {
    throw new OptionInvalid(
      'dataDir',
      'wants the path of a directory, or databaseUrl a postgres:// URL, or source an AccountSource',
    )
  }
  if (pool !== undefined) throw new OptionInvalid('pool', 'would do nothing with dataDir')
  return openDatabase(databaseFile(dataDir))
}

export default fp(accountsPlugin, { name: 'fastify-identity-accounts', fastify: '5.x' })
