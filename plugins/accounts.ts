import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { createAccounts } from './lib/accounts/accounts.js'
import type { AccountEvents, Accounts } from './lib/accounts/contract.js'
import { distributeEpochs } from './lib/accounts/epoch-distribution.js'
import type { HashQueue } from './lib/accounts/hash-queue.js'
import { keepEvents } from './lib/accounts/keep-events.js'
import { createPasswordPolicy, type PasswordPolicy } from './lib/accounts/password-policy.js'
import { passwords, passwordsFor } from './lib/accounts/passwords.js'
import { withTextIds } from './lib/accounts/text-ids.js'
import type { AccountId, AccountSource, Clock } from './lib/contract.js'
import { type AccountsDatabase, databaseFile, openDatabase } from './lib/database/embedded.js'
import type { PostgresOptions } from './lib/database/postgres/options.js'
import { OptionInvalid } from './lib/errors.js'
import { type Known, refuseUnknown } from './lib/options.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** The source of accounts for sign-ins: the suite's, or the application's. */
    accountSource: AccountSource
    /** The suite's accounts. @throws OPTION_INVALID if the application has its own */
    readonly accounts: Accounts
    /** The recent audit events of accounts. @throws OPTION_INVALID without the option `events` */
    readonly accountEvents: AccountEvents
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
export type { PasswordFault, PasswordPolicy } from './lib/accounts/password-policy.js'
export { hasSeedPassword, seedDevelopmentAccounts } from './lib/accounts/seed.js'
export { isStored, tellOnceStored } from './lib/accounts/stored-change.js'
export { canonicalUsername } from './lib/accounts/usernames.js'
export type { PostgresOptions } from './lib/database/postgres/options.js'

interface SuiteAccountsOptions {
  readonly clock?: Clock
  /** Words that no password may contain, such as the product's name. Each has at least 3 characters. */
  readonly passwordWords?: readonly string[]
  /**
   * How many passwords are hashed at once. Sixteen more can wait for each; further ones are refused with BUSY. Defaults to
   * the number of cores, at most 3: hashes run in libuv's pool of 4 threads (`UV_THREADPOOL_SIZE`), like files and DNS.
   */
  readonly hashesAtOnce?: number
  /**
   * Keeps the newest 50 audit events of each type for each account, in the accounts' database: `app.accountEvents`. They
   * contain addresses of clients. Defaults to false.
   */
  readonly events?: boolean
  readonly source?: undefined
}

/** Accounts in the embedded database of a directory. */
export interface OwnAccountsOptions extends SuiteAccountsOptions {
  /** Created with mode 0700 if it does not exist. */
  readonly dataDir: string
  readonly databaseUrl?: undefined
  readonly pool?: undefined
}

/**
 * Accounts in a PostgreSQL database, which any number of processes share. It is migrated at boot: if that may take long,
 * raise Fastify's `pluginTimeout`.
 */
export interface PostgresAccountsOptions extends SuiteAccountsOptions {
  /**
   * `postgres://user:password@host:port/database`, with user and password percent-encoded. Parameters:
   * `sslmode=verify-full` for TLS (`require` and `verify-ca` mean the same, `no-verify` trusts any server), `sslrootcert`
   * for the path of the certificates to trust, and `host` for the directory of a Unix socket.
   */
  readonly databaseUrl: string
  readonly pool?: PostgresOptions
  readonly dataDir?: undefined
}

/** The application's own accounts. */
export interface BroughtAccountsOptions {
  readonly source: AccountSource<AccountId>
  readonly dataDir?: undefined
  readonly databaseUrl?: undefined
  readonly pool?: undefined
  readonly clock?: undefined
  readonly passwordWords?: undefined
  readonly hashesAtOnce?: undefined
  readonly events?: undefined
}

export type AccountsOptions = OwnAccountsOptions | PostgresAccountsOptions | BroughtAccountsOptions

const OPTIONS: Known<AccountsOptions> = {
  source: true,
  dataDir: true,
  databaseUrl: true,
  pool: true,
  clock: true,
  passwordWords: true,
  hashesAtOnce: true,
  events: true,
}

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
  for (const name of ['accounts', 'accountEvents', 'passwordPolicy'] as const) {
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
  const accounts = createAccounts({ db, probe, passwords: hasher, clock, ...told })
  const events = options.events ? keepEvents(app, database) : null
  app.decorate('accountSource', accounts)
  app.decorate('hasOwnAccounts', true)
  app.decorate('accountEvents', { getter: () => events ?? refuseEvents() })
  app.decorate('accounts', { getter: () => accounts })
  app.decorate('passwordPolicy', { getter: () => policy })
}

function refuseEvents(): never {
  throw new OptionInvalid('events', 'is not true: there is no app.accountEvents')
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
