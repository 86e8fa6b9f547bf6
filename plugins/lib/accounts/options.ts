import type { AccountId, AccountSource, Clock } from '../contract.js'
import type { PostgresOptions } from '../database/postgres/options.js'
import type { MailOptions } from '../mail/contract.js'
import type { Known } from '../options.js'

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
  /**
   * Sends mails: verified addresses, password resets and notices, `app.accountMail`. Needs the plugin `identity`. Off by
   * default.
   */
  readonly mail?: MailOptions
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
  readonly mail?: undefined
}

export type AccountsOptions = OwnAccountsOptions | PostgresAccountsOptions | BroughtAccountsOptions

/** All of their names. */
export const OPTIONS: Known<AccountsOptions> = {
  source: true,
  dataDir: true,
  databaseUrl: true,
  pool: true,
  clock: true,
  passwordWords: true,
  hashesAtOnce: true,
  events: true,
  mail: true,
}
