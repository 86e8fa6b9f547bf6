import type { Migration } from 'kysely/migration'

/** The table of accounts. Names are compared by `canonical`. Times are in ms. */
export const accounts: Migration = {
  async up(db) {
    await db.schema
      .createTable('accounts')
      .addColumn('id', 'varchar(32)', (column) => column.primaryKey().notNull())
      .addColumn('username', 'text', (column) => column.notNull())
      .addColumn('canonical', 'text', (column) => column.notNull().unique())
      .addColumn('password_hash', 'text', (column) => column.notNull())
      .addColumn('role', 'varchar(32)', (column) => column.notNull())
      .addColumn('epoch', 'integer', (column) => column.notNull().defaultTo(1))
      .addColumn('disabled', 'integer', (column) => column.notNull().defaultTo(0))
      .addColumn('avatar', 'text')
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('updated_at', 'bigint', (column) => column.notNull())
      .execute()
  },
}

/**
 * PostgreSQL only. Names are ordered and compared by their bytes, as in SQLite. An order of the operating system's
 * changes with its version, and leaves an index that accepts a name twice.
 */
export const byteOrder: Migration = {
  async up(db) {
    // Imported here: kysely is optional, and is loaded by the time of a migration.
    const { sql } = await import('kysely')
    await sql`ALTER TABLE accounts ALTER COLUMN canonical TYPE text COLLATE "C"`.execute(db)
  },
}

/**
 * The account's row says what the state store must still be told, so that a crash between the change and the telling
 * loses nothing. An account whose epoch was never raised has nothing to tell.
 */
export const distributedEpochs: Migration = {
  async up(db) {
    const { sql } = await import('kysely')
    const table = db.schema.alterTable('accounts')
    await table.addColumn('distributed_epoch', 'integer', (column) => column.notNull().defaultTo(1)).execute()
    await table.addColumn('spared_sign_in', 'text').execute()
    const undistributed = sql`CREATE INDEX accounts_undistributed ON accounts (id) WHERE epoch > distributed_epoch`
    // Mostly empty. It answers a look without reading the table.
    await undistributed.execute(db)
  },
}
