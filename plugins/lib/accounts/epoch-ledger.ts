import type { Kysely } from 'kysely'
import type { Tables } from '../database/tables.js'
import type { RaisedAccount } from './contract.js'
import { guarded, IDENTIFYING, toAccount } from './rows.js'

export type EpochLedger = ReturnType<typeof createEpochLedger>

/**
 * The raised epochs that the state store does not know yet. They are in the accounts' rows, written and read together
 * with the spared sign-in, so they outlive the process that raised them.
 */
export function createEpochLedger(db: Kysely<Tables>) {
  return Object.freeze({
    /** At most `limit` of them. @throws STORE_UNAVAILABLE */
    async pending(limit: number): Promise<RaisedAccount[]> {
      const query = db
        .selectFrom('accounts')
        .select([...IDENTIFYING, 'spared_sign_in'])
        .whereRef('epoch', '>', 'distributed_epoch')
        .limit(limit)
      const rows = await guarded(() => query.execute())
      return rows.map((row) => ({ account: toAccount(row), spare: row.spared_sign_in }))
    },
    /** Notes that the store knows this epoch, and so all lower ones. @throws STORE_UNAVAILABLE */
    async settle({ account: { id, epoch } }: RaisedAccount): Promise<void> {
      const query = db
        .updateTable('accounts')
        .set({ distributed_epoch: epoch })
        .where('id', '=', id)
        // A later epoch that was noted first stays.
        .where('distributed_epoch', '<', epoch)
      await guarded(() => query.execute())
    },
  })
}
