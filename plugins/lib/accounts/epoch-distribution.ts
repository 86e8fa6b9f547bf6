import type { FastifyInstance } from 'fastify'
import type { AccountsDatabase } from '../database/accounts-database.js'
import type { RaisedAccount } from './contract.js'
import { EpochDistributor } from './epoch-distributor.js'
import { createEpochLedger } from './epoch-ledger.js'

/**
 * Ends the sign-ins of accounts whose epoch was raised, by this process or by one that crashed before it could. In an
 * application without sign-ins, raised epochs wait for a process that has them.
 */
export function distributeEpochs(app: FastifyInstance, database: AccountsDatabase) {
  const distributor = new EpochDistributor({
    ledger: createEpochLedger(database.kysely),
    raise: ({ account, spare }) => app.signIns.raiseEpoch(account, { spare }),
    log: app.log,
  })
  app.addHook('onReady', async function startDistributing() {
    if (app.hasDecorator('signIns')) await distributor.start()
  })
  app.addHook('onClose', async function closeAccounts() {
    await distributor.close()
    await database.close()
  })
  return {
    async onRaised(raised: RaisedAccount): Promise<void> {
      if (app.hasDecorator('signIns')) await distributor.distribute(raised)
    },
    onDoubt() {
      if (app.hasDecorator('signIns')) distributor.doubt()
    },
  }
}
