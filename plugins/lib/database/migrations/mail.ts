import type { Migration } from 'kysely/migration'

/** The verified addresses of accounts, the mails to be sent, and the tokens of password resets. Times are in ms. */
export const mail: Migration = {
  async up(db) {
    const add = (name: string, type: 'text' | 'bigint' | 'integer') => {
      const isText = type === 'text'
      return db.schema
        .alterTable('accounts')
        .addColumn(name, type, (column) => (isText ? column : column.notNull().defaultTo(0)))
        .execute()
    }
    for (const name of ['email', 'email_key', 'email_pending', 'email_change', 'email_code'])
      await add(name, 'text')
    await add('email_code_until', 'bigint')
    await add('email_code_tries', 'integer')
    await add('epoch_raised_at', 'bigint')
    await db.schema.createIndex('accounts_email').on('accounts').column('email_key').execute()
    await db.schema
      .createTable('outbox')
      .addColumn('id', 'varchar(32)', (column) => column.primaryKey().notNull())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('account_id', 'text')
      .addColumn('details', 'text', (column) => column.notNull())
      .addColumn('language', 'text', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('expires_at', 'bigint', (column) => column.notNull())
      .addColumn('due_at', 'bigint', (column) => column.notNull())
      .addColumn('attempts', 'integer', (column) => column.notNull())
      .addColumn('sent_at', 'bigint')
      .addColumn('mailbox', 'text')
      .execute()
    await db.schema.createIndex('outbox_due').on('outbox').column('due_at').execute()
    await db.schema.createIndex('outbox_mailbox').on('outbox').column('mailbox').execute()
    await db.schema.createIndex('outbox_account').on('outbox').column('account_id').execute()
    await db.schema
      .createTable('reset_tokens')
      .addColumn('hash', 'varchar(64)', (column) => column.primaryKey().notNull())
      .addColumn('account_id', 'text', (column) => column.notNull())
      .addColumn('epoch', 'integer', (column) => column.notNull())
      .addColumn('email', 'text', (column) => column.notNull())
      .addColumn('expires_at', 'bigint', (column) => column.notNull())
      .execute()
  },
}
