import type { ExpressionBuilder, Kysely } from 'kysely'
import type { Tables } from '../database/tables.js'

function isAdmin(row: ExpressionBuilder<Tables, 'accounts'>) {
  return row.and({ role: 'admin', disabled: 0 })
}

/** The other administrators who can sign in. */
export function otherAdmins(db: Kysely<Tables>, id: string) {
  return db.selectFrom('accounts').select('id').where(isAdmin).where('id', '<>', id)
}

/**
 * Runs work on this account while no other process can remove an administrator: two administrators who demote each
 * other at the same moment must not both succeed.
 *
 * SQLite runs one writing statement at a time, which sees all earlier writes, so a single statement is enough. In
 * PostgreSQL two parallel statements could each still see the other's administrator. There the rows are locked first:
 * the administrators' and the account's own, in one statement and one order, because locking them one after the other
 * could deadlock.
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
