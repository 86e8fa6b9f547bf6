import type { FastifyInstance } from 'fastify'
import type { AccountsDatabase } from '../database/accounts-database.js'
import type { AccountEvents, EventsQuery } from './contract.js'
import { EventLog } from './event-log.js'
import { insertEvents, listEvents } from './events.js'

/** Stores the audit events of accounts, whether the audit or the accounts were registered first. */
export function keepEvents(app: FastifyInstance, { kysely: db }: AccountsDatabase): AccountEvents {
  const kept = new EventLog({ insert: (rows) => insertEvents(db, rows), log: app.log })
  app.addHook('onReady', async function subscribeAccountEvents() {
    if (app.hasDecorator('audit')) app.audit.subscribe((event) => kept.add(event))
  })
  // Runs before the database closes: these hooks run in reverse order.
  app.addHook('onClose', function finishAccountEvents() {
    return kept.flush()
  })
  return Object.freeze({
    async recent(accountId: string, query?: EventsQuery) {
      await kept.flush()
      return listEvents(db, accountId, query)
    },
  })
}
