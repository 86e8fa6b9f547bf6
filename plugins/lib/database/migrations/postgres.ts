import type { Migration } from './migration.js'

export const collationMigrations: Record<string, Migration> = {
  /**
   * Names are ordered and told apart by their bytes, as SQLite does it: an order of the operating system's
   * changes with its version, and leaves behind an index that lets a name in twice.
   */
  '0001_accounts_collation': {
    async up(db) {
      // Imported here: kysely is optional, and whoever migrates has loaded it.
      const { sql } = await import('kysely')
      await sql`ALTER TABLE accounts ALTER COLUMN canonical TYPE text COLLATE "C"`.execute(db)
    },
  },
}
