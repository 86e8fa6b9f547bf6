import t, { type Test } from 'tap'
import { createAccounts } from '../../../../plugins/lib/accounts/accounts.js'
import type { Passwords } from '../../../../plugins/lib/accounts/passwords.js'
import { type EmbeddedDatabase, openDatabase } from '../../../../plugins/lib/database/embedded.js'
import { openPostgres } from '../../../../plugins/lib/database/postgres/database.js'
import { StoreUnavailable } from '../../../../plugins/lib/errors.js'
import { type FactorsUnderTest, testFactorContract } from '../../../factor-contract.js'
import { memoryFactors } from '../../../helpers/memory-factors.js'
import { PATIENT, startPostgres } from '../../../helpers/postgres-server.js'

/** Quick: what argon2 costs is tested where it is used. */
const passwords: Passwords = {
  hash: async (password) => `hash of ${password}`,
  verify: async (hash, password) => hash === `hash of ${password}`,
  isOutdated: () => false,
}

function factorsIn({ kysely: db }: Pick<EmbeddedDatabase, 'kysely'>): FactorsUnderTest {
  const accounts = createAccounts({ db, passwords, clock: Date.now })
  return {
    source: accounts.factors,
    addAccount: async (username) =>
      (await accounts.create({ username, password: 'correct horse', role: 'user' })).id,
  }
}

async function openEmbedded(t: Test) {
  const database = await openDatabase(':memory:')
  t.teardown(database.close)
  return database
}

t.test('over SQLite', async (t) => {
  testFactorContract(t, async (t) => factorsIn(await openEmbedded(t)))
})

t.test('over PostgreSQL', async (t) => {
  const server = await startPostgres()
  t.teardown(() => server.stop())
  const database = await openPostgres({ databaseUrl: await server.createDatabase(), pool: PATIENT })
  t.teardown(database.close)
  testFactorContract(t, async () => {
    for (const table of ['accounts', 'factors'] as const) await database.kysely.deleteFrom(table).execute()
    return factorsIn(database)
  })
})

t.test('in memory, as an application might keep them', async (t) => {
  testFactorContract(t, async () => ({
    source: memoryFactors().source,
    addAccount: async (username) => username,
  }))
})

t.test('a row of a kind that this version does not know is left alone', async (t) => {
  const database = await openEmbedded(t)
  const { source } = factorsIn(database)
  const row = { id: 'x', account_id: 'alice', kind: 'palm', name: '', secret: '', key_id: null, counter: 0 }
  await database.kysely
    .insertInto('factors')
    .values({ ...row, created_at: 0, last_used_at: null })
    .execute()
  t.same(await source.list('alice'), [])
  t.equal(await source.find('x'), null)
})

t.test('a database fault is STORE_UNAVAILABLE', async (t) => {
  const database = await openEmbedded(t)
  const { source } = factorsIn(database)
  database.connection.exec('DROP TABLE factors')
  const texts = { id: 'x', accountId: 'alice', name: '', secret: '' }
  const factor = { ...texts, kind: 'totp', keyId: null, counter: 0, createdAt: 0, lastUsedAt: null } as const
  await t.rejects(source.list('x'), StoreUnavailable)
  await t.rejects(source.find('x'), StoreUnavailable)
  await t.rejects(source.add(factor, 1), StoreUnavailable)
  await t.rejects(source.add({ ...factor, kind: 'recovery_code' }, 1), StoreUnavailable)
  await t.rejects(source.spend('x', 'x', 0, { counter: 1, at: 0 }), StoreUnavailable)
  await t.rejects(source.rename('x', 'x', ''), StoreUnavailable)
  await t.rejects(source.remove('x', ['x']), StoreUnavailable)
  await t.rejects(source.sealedBy(), StoreUnavailable)
  await t.rejects(source.listSealedBy('x', 1), StoreUnavailable)
  await t.rejects(source.reseal(factor, '', ''), StoreUnavailable)
})
