import type { Kysely } from 'kysely'
import type { Tables } from '../database/embedded.js'
import type { RaisedAccount } from './contract.js'
import { guarded } from './queries.js'
import { IDENTIFYING, toAccount } from './rows.js'

/** The raised epochs that the state store does not know yet. It outlives the process that raised them. */
export interface EpochLedger {
  /** At most `limit` of them. @throws STORE_UNAVAILABLE */
  pending(limit: number): Promise<RaisedAccount[]>
  /** Notes that the store knows this epoch, and so all lower ones. @throws STORE_UNAVAILABLE */
  settle(raised: RaisedAccount): Promise<void>
}

/** Keeps the ledger in the accounts' rows, where epoch and spared sign-in are written and read together. */
export function createEpochLedger(db: Kysely<Tables>): EpochLedger {
  return Object.freeze({
    async pending(limit: number) {
      const query = db
        .selectFrom('accounts')
        .select([...IDENTIFYING, 'spared_sign_in'])
        .whereRef('epoch', '>', 'distributed_epoch')
        .limit(limit)
      const rows = await guarded(() => query.execute())
      return rows.map((row) => ({ account: toAccount(row), spare: row.spared_sign_in }))
    },
    async settle({ account: { id, epoch } }: RaisedAccount) {
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
