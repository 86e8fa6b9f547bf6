import type { Migration } from './migration.js'

/*
 * What the state store has still to be told of is in the account's row, so that a crash between the change and
 * the telling leaves it there. An account whose epoch was never raised has nothing to tell.
 */
export const epochMigrations: Record<string, Migration> = {
  '0003_distributed_epochs': {
    async up(db) {
      // Imported here: kysely is optional, and whoever migrates has loaded it.
      const { sql } = await import('kysely')
      const accounts = db.schema.alterTable('accounts')
      await accounts
        .addColumn('distributed_epoch', 'integer', (column) => column.notNull().defaultTo(1))
        .execute()
      await accounts.addColumn('spared_sign_in', 'text').execute()
      // Holds nothing most of the time, and answers a look without reading the table.
      await sql`CREATE INDEX accounts_undistributed ON accounts (id) WHERE epoch > distributed_epoch`.execute(
        db,
      )
    },
  },
}
