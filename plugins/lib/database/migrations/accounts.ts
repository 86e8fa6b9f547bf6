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
 * PostgreSQL only. Orders and compares names by their bytes, as SQLite does. The operating system's collation changes
 * with its version, and leaves an index that accepts a name twice.
 */
export const byteOrder: Migration = {
  async up(db) {
    // Imported here, so that importing the suite does not load kysely.
    const { sql } = await import('kysely')
    await sql`ALTER TABLE accounts ALTER COLUMN canonical TYPE text COLLATE "C"`.execute(db)
  },
}

/**
 * The account's row records which epoch the state store knows, so that a crash between a change and its distribution
 * loses nothing.
 */
export const distributedEpochs: Migration = {
  async up(db) {
    const { sql } = await import('kysely')
    const table = db.schema.alterTable('accounts')
    await table.addColumn('distributed_epoch', 'integer', (column) => column.notNull().defaultTo(1)).execute()
    await table.addColumn('spared_sign_in', 'text').execute()
    // Mostly empty: a lookup need not read the table.
    await sql`CREATE INDEX accounts_undistributed ON accounts (id) WHERE epoch > distributed_epoch`.execute(
      db,
    )
  },
}

/** The name that an account wants to be shown by. Null: its username. */
export const displayNames: Migration = {
  async up(db) {
    await db.schema.alterTable('accounts').addColumn('display_name', 'text').execute()
  },
}
