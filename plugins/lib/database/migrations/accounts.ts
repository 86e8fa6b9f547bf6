import type { Migration } from './migration.js'

/** The table of accounts. `canonical` is what names are compared by; times are in ms. */
export const accountMigrations: Record<string, Migration> = {
  '0001_accounts': {
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
  },
}
