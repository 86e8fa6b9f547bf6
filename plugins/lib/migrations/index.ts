import type { Migration } from 'kysely/migration'
import { accountMigrations } from './accounts.js'
import { epochMigrations } from './epochs.js'
import { stateMigrations } from './state.js'

export type { Migration }

/** Every migration of the embedded file. Run in the order of their names; one that was released never changes. */
export const migrations: Record<string, Migration> = {
  ...accountMigrations,
  ...stateMigrations,
  ...epochMigrations,
}
