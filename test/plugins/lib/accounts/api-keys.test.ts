import t, { type Test } from 'tap'
import { createAccounts } from '../../../../plugins/lib/accounts/accounts.js'
import type { Passwords } from '../../../../plugins/lib/accounts/passwords.js'
import { type EmbeddedDatabase, openDatabase } from '../../../../plugins/lib/database/embedded.js'
import { openPostgres } from '../../../../plugins/lib/database/postgres/database.js'
import { StoreUnavailable } from '../../../../plugins/lib/errors.js'
import { type KeysUnderTest, testApiKeyContract } from '../../../api-key-contract.js'
import { START } from '../../../helpers/clock.js'
import { memoryApiKeys } from '../../../helpers/memory-api-keys.js'
import { PATIENT, startPostgres } from '../../../helpers/postgres-server.js'

/** Quick: what argon2 costs is tested where it is used. */
const passwords: Passwords = {
  hash: async (password) => `hash of ${password}`,
  verify: async (hash, password) => hash === `hash of ${password}`,
  isOutdated: () => false,
}

function keysIn({ kysely: db }: Pick<EmbeddedDatabase, 'kysely'>): KeysUnderTest {
  const accounts = createAccounts({ db, passwords, clock: () => START })
  return {
    source: accounts.apiKeys,
    addAccount: async (username) =>
      (await accounts.create({ username, password: 'correct horse', role: 'user' })).id,
    raiseEpoch: async (id) => (await accounts.raiseEpoch(id))?.epoch ?? 0,
    setDisabled: (id, disabled) => accounts.setDisabled(id, disabled),
  }
}

async function openEmbedded(t: Test) {
  const database = await openDatabase(':memory:')
  t.teardown(database.close)
  return database
}

t.test('over SQLite', async (t) => {
  testApiKeyContract(t, async (t) => keysIn(await openEmbedded(t)))
})

t.test('over PostgreSQL', async (t) => {
  const server = await startPostgres()
  t.teardown(() => server.stop())
  const database = await openPostgres({ databaseUrl: await server.createDatabase(), pool: PATIENT })
  t.teardown(database.close)
  testApiKeyContract(t, async () => {
    for (const table of ['accounts', 'api_keys'] as const) await database.kysely.deleteFrom(table).execute()
    return keysIn(database)
  })
})

t.test('in memory, as an application might keep them', async (t) => {
  testApiKeyContract(t, async () => {
    const accounts = new Map<string, { id: string; username: string; role: string; epoch: number }>()
    const disabled = new Set<string>()
    const { source } = memoryApiKeys((id) => (disabled.has(id) ? null : (accounts.get(id) ?? null)))
    return {
      source,
      async addAccount(username) {
        accounts.set(username, { id: username, username, role: 'user', epoch: 1 })
        return username
      },
      async raiseEpoch(id) {
        const account = accounts.get(id)
        if (!account) return 0
        account.epoch += 1
        return account.epoch
      },
      async setDisabled(id, value) {
        if (value) disabled.add(id)
        else disabled.delete(id)
      },
    }
  })
})

t.test('an account that makes and ends keys without end does not fill the table', async (t) => {
  const database = await openEmbedded(t)
  const { source, addAccount } = keysIn(database)
  const accountId = await addAccount('alice')
  const more = { accountId, name: '', scopes: [], claims: {}, hash: '', epoch: 1, ip: '', userAgent: '' }
  const none = { lastUsedAt: null, endedAt: null }
  for (let made = 0; made < 130; made++) {
    const key = { id: `k${made}`, createdAt: START + made, expiresAt: START + 1e6, ...more, ...none }
    t.ok(await source.insert(key, 2))
    if (made > 0) await source.end([key.id], START + made)
  }
  const rows = await database.kysely.selectFrom('api_keys').select('id').execute()
  t.ok(rows.length <= 103, `${rows.length} rows`)
  t.same(
    (await source.list(accountId, START)).map(({ id }) => id),
    ['k0'],
    'no live one is dropped',
  )
  t.ok(await source.find('k129'), 'the newest are kept')
})

t.test('a database fault is STORE_UNAVAILABLE', async (t) => {
  const database = await openEmbedded(t)
  const { source } = keysIn(database)
  database.connection.exec('DROP TABLE api_keys')
  await t.rejects(source.find('x'), StoreUnavailable)
  await t.rejects(source.list('x', 0), StoreUnavailable)
  await t.rejects(source.end(['x'], 0), StoreUnavailable)
  await t.rejects(source.noteUse(['x'], 0), StoreUnavailable)
})
