import t from 'tap'
import { openDatabase } from '../../../../plugins/lib/database/embedded.js'
import { openPostgres } from '../../../../plugins/lib/database/postgres/database.js'
import { PATIENT, startPostgres } from '../../../helpers/postgres-server.js'
import { testMailContract } from '../../../mail-contract.js'

t.test('over SQLite', async (t) => {
  testMailContract(t, async (t) => {
    const database = await openDatabase(':memory:')
    t.teardown(database.close)
    return database
  })
})

t.test('over PostgreSQL', async (t) => {
  const server = await startPostgres()
  t.teardown(() => server.stop())
  const database = await openPostgres({ databaseUrl: await server.createDatabase(), pool: PATIENT })
  t.teardown(database.close)
  // Each test begins with no account; the schema is made once.
  testMailContract(t, async () => {
    for (const table of ['accounts', 'outbox', 'reset_tokens'] as const)
      await database.kysely.deleteFrom(table).execute()
    return database
  })
})
