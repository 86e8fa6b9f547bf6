import type { Migration } from 'kysely/migration'
import { accountMigrations, collationMigrations } from './accounts.js'
import { stateMigrations } from './state.js'

/*
 * Migrations run in the order of their names. A released one never changes. Those of accounts stand in both lists.
 */

/** Every migration of the embedded file. */
export const migrations: Record<string, Migration> = { ...accountMigrations, ...stateMigrations }

/** Every migration of a PostgreSQL database: it holds accounts only. */
export const postgresMigrations: Record<string, Migration> = { ...accountMigrations, ...collationMigrations }
