import type { ExpressionBuilder, Kysely } from 'kysely'
import type { Tables } from '../database/embedded.js'

function isAdmin(row: ExpressionBuilder<Tables, 'accounts'>) {
  return row.and({ role: 'admin', disabled: 0 })
}

/** The administrators besides this one who can sign in. */
export function otherAdmins(db: Kysely<Tables>, id: string) {
  return db.selectFrom('accounts').select('id').where(isAdmin).where('id', '<>', id)
}

/**
 * Runs work on this account while nobody else takes an administrator away: two who end each other's rights at one moment must not
 * leave nobody.
 *
 * SQLite lets one statement write at a time, which sees all that was written before: one that asks and changes
 * needs nothing more. PostgreSQL lets two statements each see the other's administrator; there the rows are
 * locked first, and the work's own statement sees what the one before it has left. All of them at once and in one
 * order, the account's own with them: whoever came for it later, as one of the others, would wait for us, and we
 * for them.
 */
export async function lockAdmins<T>(
  db: Kysely<Tables>,
  id: string,
  work: (db: Kysely<Tables>) => Promise<T>,
): Promise<T> {
  if (!db.getExecutor().adapter.supportsMultipleConnections) return work(db)
  return db.transaction().execute(async (transaction) => {
    const rows = transaction.selectFrom('accounts').select('id').orderBy('id').forUpdate()
    await rows.where((row) => row.or([isAdmin(row), row('id', '=', id)])).execute()
    return work(transaction)
  })
}
