import { accountMigrations } from './accounts.js'
import { epochMigrations } from './epochs.js'
import type { Migration } from './migration.js'
import { collationMigrations } from './postgres.js'
import { sealMigrations } from './seal.js'
import { stateMigrations } from './state.js'
import { throttleMigrations } from './throttle.js'

export type { Migration }

/*
 * Run in the order of their names; one that was released never changes. What concerns accounts stands in both.
 */

/** Every migration of the embedded file. */
export const migrations: Record<string, Migration> = {
  ...accountMigrations,
  ...stateMigrations,
  ...epochMigrations,
  ...throttleMigrations,
  ...sealMigrations,
}

/** Every migration of a PostgreSQL database: it holds accounts only. */
export const postgresMigrations: Record<string, Migration> = {
  ...accountMigrations,
  ...collationMigrations,
  ...epochMigrations,
}
