import Fastify from 'fastify'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import accountsPlugin, { type PostgresOptions } from '../../plugins/accounts.js'
import { createAccounts } from '../../plugins/lib/accounts/accounts.js'
import { EpochDistributor } from '../../plugins/lib/accounts/epoch-distributor.js'
import { createEpochLedger } from '../../plugins/lib/accounts/epoch-ledger.js'
import type { Passwords } from '../../plugins/lib/accounts/passwords.js'
import { openPostgres } from '../../plugins/lib/database/postgres/database.js'
import { StoreUnavailable } from '../../plugins/lib/errors.js'
import { testAccountContract } from '../account-contract.js'
import { eventually } from '../helpers/followed.js'
import { ownTime } from '../helpers/own-time.js'
import { PATIENT, startPostgres } from '../helpers/postgres-server.js'

const server = await startPostgres()
t.teardown(() => server.stop())

async function open(t: Test, databaseUrl: string) {
  const database = await openPostgres({ databaseUrl, pool: PATIENT })
  t.teardown(database.close)
  return database
}

t.test('over PostgreSQL', async (t) => {
  // Each of them begins with no account; the schema is made once.
  const database = await open(t, await server.createDatabase())
  testAccountContract(t, async () => {
    await database.kysely.deleteFrom('accounts').execute()
    return database
  })
})

/** Quick: what argon2 costs is tested where it is used. */
const passwords: Passwords = {
  hash: async (password) => `hash of ${password}`,
  verify: async (hash, password) => hash === `hash of ${password}`,
  isOutdated: () => false,
}

/** Several processes, as far as PostgreSQL can tell: each has a pool of its own. */
async function instances(t: Test, count: number) {
  const url = await server.createDatabase()
  const all = await Promise.all(Array.from({ length: count }, () => open(t, url)))
  return all.map(({ kysely }) => ({
    db: kysely,
    accounts: createAccounts({ db: kysely, passwords, clock: Date.now }),
    ledger: createEpochLedger(kysely),
  }))
}

const ALICE = { username: 'alice', password: 'correct horse', role: 'user' } as const

t.test('of two administrators who demote each other at two instances one is left', async (t) => {
  const [here, there] = await instances(t, 2)
  if (!here || !there) return t.fail()
  const [one, two] = await Promise.all(
    ['one', 'two'].map((username) => here.accounts.create({ ...ALICE, username, role: 'admin' })),
  )
  // Each statement has seen both of them before the other one writes.
  await sql`CREATE FUNCTION dawdle() RETURNS trigger AS $$ BEGIN PERFORM pg_sleep(0.2); RETURN NEW; END $$
    LANGUAGE plpgsql`.execute(here.db)
  await sql`CREATE TRIGGER dawdles BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION dawdle()`.execute(
    here.db,
  )
  const results = await Promise.allSettled([
    here.accounts.setRole(one?.id ?? '', 'user'),
    there.accounts.setDisabled(two?.id ?? '', true),
  ])
  const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []))
  t.same(refused, ['LAST_ADMIN'])
})

t.test('a row that two instances change at once loses nothing', async (t) => {
  const [here, there] = await instances(t, 2)
  if (!here || !there) return t.fail()
  const { id } = await here.accounts.create(ALICE)
  const changes = Array.from({ length: 40 }, (_, index) => {
    const { accounts } = index % 2 ? here : there
    return index % 4 < 2 ? accounts.setRole(id, 'admin') : accounts.setDisabled(id, false)
  })
  const epochs = (await Promise.all(changes)).map((account) => account?.epoch ?? 0)
  t.same(
    epochs.sort((a, b) => a - b),
    Array.from({ length: 40 }, (_, index) => index + 2),
    'each change has an epoch of its own',
  )
  t.match(await there.accounts.find(id), { role: 'admin', epoch: 41 })
})

t.test('of two password changes on one old password exactly one is granted', async (t) => {
  const both = await instances(t, 2)
  const { id } = (await both[0]?.accounts.create(ALICE)) ?? { id: '' }
  for (let round = 1; round <= 10; round++) {
    const current = round === 1 ? ALICE.password : `password ${round - 1}`
    const tries = both.map(({ accounts }) => accounts.changePassword(id, current, `password ${round}`))
    const granted = (await Promise.all(tries)).filter((account) => account !== null)
    t.match(granted, [{ epoch: round + 1 }])
    t.equal(granted.length, 1)
  }
})

t.test('of many who ask for one name at once one gets it', async (t) => {
  const all = await instances(t, 2)
  const results = await Promise.allSettled(
    Array.from({ length: 20 }, (_, index) => all[index % 2]?.accounts.create(ALICE)),
  )
  const refused = results.filter(({ status }) => status === 'rejected')
  t.equal(refused.length, 19)
  for (const result of refused) t.match(result, { reason: { code: 'USERNAME_TAKEN' } })
})

t.test('what an instance raised and did not live to tell, the others tell', async (t) => {
  const [crashed, ...running] = await instances(t, 3)
  if (!crashed) return t.fail()
  const accounts = createAccounts({
    ...{ db: crashed.db, passwords, clock: Date.now },
    onRaised: () => Promise.reject(new StoreUnavailable()),
  })
  const { id } = await accounts.create(ALICE)
  const told: number[] = []
  const distributors = running.map(
    ({ ledger }) =>
      new EpochDistributor({
        ledger,
        raise: async ({ account }) => void told.push(account.epoch),
        log: { warn: () => {} },
        times: { first: 1, longest: 4, look: 5 },
      }),
  )
  t.teardown(() => Promise.all(distributors.map((distributor) => distributor.close())))
  await Promise.all(distributors.map((distributor) => distributor.start()))
  t.same(told, [])
  await t.rejects(accounts.setRole(id, 'admin'), { code: 'STORE_UNAVAILABLE' })
  for (let tries = 0; tries < 6000 && (await crashed.ledger.pending(1)).length > 0; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  t.same(await crashed.ledger.pending(1), [], 'it is settled')
  t.same([...new Set(told)], [2], 'and was told, by one or by both')
})

async function buildApp(t: Test, databaseUrl: string, pool?: PostgresOptions) {
  const app = Fastify({ pluginTimeout: 0 })
  t.teardown(() => app.close())
  await app.register(accountsPlugin, { databaseUrl, pool: { ...PATIENT, ...pool }, clock: () => 1000 })
  await app.ready()
  return app
}

t.test('accounts are the plugin’s, and survive a restart', async (t) => {
  const url = await server.createDatabase()
  const first = await buildApp(t, url)
  const created = await first.accounts.create(ALICE)
  await first.close()
  const second = await buildApp(t, url)
  t.same(await second.accountSource.verify('alice', ALICE.password), created)
  t.match(await second.accounts.findByUsername('alice'), { createdAt: 1000 })
})

t.test('a pool that is exhausted is STORE_UNAVAILABLE in time, and serves when it can', async (t) => {
  const url = await server.createDatabase()
  const app = await buildApp(t, url, { max: 2, connectTimeout: 1000, queryTimeout: 1000 })
  await server.asAdmin(url, async (client) => {
    await client.query('BEGIN')
    await client.query('LOCK TABLE accounts')
    const since = ownTime()
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => app.accounts.count()))
    t.ok(ownTime() - since < 5000)
    for (const result of results) {
      t.match(result, { reason: { code: 'STORE_UNAVAILABLE', statusCode: 503, cause: /time/ } })
      t.notMatch(result, { reason: { message: /time ?out|connect/i } })
    }
    await client.query('ROLLBACK')
  })
  // A busy machine may need longer than these limits.
  await eventually(async () => (await app.accounts.count()) === 0)
})

t.test('a deadlock is STORE_UNAVAILABLE, and passes', async (t) => {
  const url = await server.createDatabase()
  await server.asAdmin(url, (client) => client.query('ALTER ROLE identity SET deadlock_timeout = 10'))
  const app = await buildApp(t, url)
  const { id } = await app.accounts.create(ALICE)
  const { id: bob } = await app.accounts.create({ ...ALICE, username: 'bob' })
  const lock = (id: string) => `SELECT FROM accounts WHERE id = '${id}' FOR UPDATE`
  await server.asAdmin(url, async (client) => {
    // It is the last one to wait that notices: us not.
    await client.query('SET deadlock_timeout = 60000')
    await client.query(`CREATE FUNCTION lock_bob() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      WHILE NOT EXISTS (SELECT FROM pg_locks WHERE NOT granted) LOOP PERFORM pg_sleep(0.01); END LOOP;
      PERFORM FROM accounts WHERE id = '${bob}' FOR UPDATE;
      RETURN NULL;
    END $$`)
    await client.query(
      'CREATE TRIGGER second AFTER UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION lock_bob()',
    )
    await client.query('BEGIN')
    await client.query(lock(bob))
    const refusal = { code: 'STORE_UNAVAILABLE', statusCode: 503, cause: { code: '40P01' } }
    const refused = t.rejects(app.accounts.raiseEpoch(id), refusal)
    const inTrigger = "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    while (!(await client.query(inTrigger)).rowCount) await new Promise((resolve) => setTimeout(resolve, 2))
    await client.query(lock(id))
    await refused
    await client.query('ROLLBACK')
    await client.query('DROP TRIGGER second ON accounts')
  })
  t.match(await app.accounts.raiseEpoch(id), { epoch: 2 })
  await server.asAdmin(url, (client) => client.query('ALTER ROLE identity RESET deadlock_timeout'))
})

t.test('a server that takes no more connections is STORE_UNAVAILABLE, and passes', async (t) => {
  const url = await server.createDatabase()
  const app = await buildApp(t, url, { idleTimeout: 1 })
  const limit = (most: number) =>
    server.asAdmin(url, (client) => client.query(`ALTER ROLE identity CONNECTION LIMIT ${most}`))
  await limit(0)
  t.teardown(() => limit(-1))
  const others = 'SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()'
  await server.asAdmin(url, async (client) => {
    // The idle ones are closed.
    while ((await client.query(others)).rowCount) await new Promise((resolve) => setTimeout(resolve, 2))
  })
  const refusal = { code: 'STORE_UNAVAILABLE', statusCode: 503, cause: { code: '53300' } }
  await t.rejects(app.accounts.count(), refusal)
  await limit(-1)
  t.equal(await app.accounts.count(), 0)
})
