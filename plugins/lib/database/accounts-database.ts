import type { Kysely } from 'kysely'
import type { Tables } from './tables.js'

// Without the drivers: an application that has not installed them compiles with its declarations.

/** The database of the accounts, at the newest schema. */
export interface AccountsDatabase {
  readonly kysely: Kysely<Tables>
  /** Resolves when the database has taken a write. @throws STORE_UNAVAILABLE */
  probe(): Promise<void>
  /** Idempotent. */
  close(): Promise<void>
}
