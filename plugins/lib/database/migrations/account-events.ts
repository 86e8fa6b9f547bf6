import type { Migration } from 'kysely/migration'

/** The newest audit events of each account. Times are in ms. */
export const accountEvents: Migration = {
  async up(db) {
    await db.schema
      .createTable('account_events')
      .addColumn('id', 'varchar(32)', (column) => column.primaryKey().notNull())
      .addColumn('account_id', 'text', (column) => column.notNull())
      .addColumn('type', 'text', (column) => column.notNull())
      .addColumn('time', 'bigint', (column) => column.notNull())
      .addColumn('ip', 'text')
      .addColumn('details', 'text', (column) => column.notNull())
      .execute()
    const index = db.schema.createIndex('account_events_account').on('account_events')
    await index.columns(['account_id', 'time']).execute()
  },
}
