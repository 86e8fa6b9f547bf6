import type { Migration } from 'kysely/migration'

/** The second factors of accounts. Times are in ms. */
export const factors: Migration = {
  async up(db) {
    await db.schema
      .createTable('factors')
      .addColumn('id', 'varchar(64)', (column) => column.primaryKey().notNull())
      .addColumn('account_id', 'text', (column) => column.notNull())
      .addColumn('kind', 'varchar(32)', (column) => column.notNull())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('secret', 'text', (column) => column.notNull())
      .addColumn('key_id', 'varchar(16)')
      .addColumn('counter', 'bigint', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('last_used_at', 'bigint')
      .execute()
    await db.schema.createIndex('factors_account').on('factors').column('account_id').execute()
    // Finds secrets by the key that seals them.
    await db.schema.createIndex('factors_key').on('factors').columns(['key_id', 'id']).execute()
  },
}
