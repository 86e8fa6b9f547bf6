import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'libsql'
import t, { type Test } from 'tap'
import { openDatabase } from '../../../../../plugins/lib/database/embedded.js'
import { SPENT_MARGIN } from '../../../../../plugins/lib/stores/rules.js'
import { createSqliteStore } from '../../../../../plugins/lib/stores/sqlite/store.js'
import { sessionRecord, signInRecord, storeContract } from '../../../../store-contract.js'

const directory = mkdtempSync(join(tmpdir(), 'sqlite-store-'))
t.teardown(() => rmSync(directory, { recursive: true, force: true }))
let files = 0

const migrated = join(directory, 'migrated.db')
const template = await openDatabase(migrated)
template.connection.pragma('wal_checkpoint(TRUNCATE)')
await template.close()

/** A copy of an empty file at the newest schema: migrating waits for the disk. */
function newFile(): string {
  const file = join(directory, `${++files}.db`)
  copyFileSync(migrated, file)
  return file
}

async function openStore(t: Test, file: string) {
  const database = await openDatabase(file)
  // These tests survive no power cut, and need not wait for the disk.
  database.connection.pragma('synchronous = OFF')
  const store = createSqliteStore(database)
  t.teardown(() => store.close())
  return { store, database }
}

/** A connection of another process, as far as SQLite can tell. */
function foreign(t: Test, file: string) {
  const connection = new Database(file, { timeout: 0 })
  t.teardown(() => connection.close())
  return connection
}

storeContract(t, 'sqlite', async (t) => {
  const file = newFile()
  const { store } = await openStore(t, file)
  const { store: twin } = await openStore(t, file)
  return { store, twin }
})

const NOW = signInRecord().createdAt
const UNTIL = signInRecord().absoluteExpiresAt
const UNAVAILABLE = { code: 'STORE_UNAVAILABLE', statusCode: 503 }

t.test('answers without a promise where the contract allows it', async (t) => {
  const { store } = await openStore(t, newFile())
  const generation = store.generation()
  t.type(generation, 'number')
  const ref = { accountId: 'a', signInId: 's', epoch: 1, generation: await generation }
  t.equal(store.isLive(ref), true)
  t.equal(store.readSession('none', 0), null)
})

t.test('everything is still there after a restart, revocations and generation included', async (t) => {
  const file = newFile()
  const first = await openStore(t, file)
  const ref = {
    accountId: 'account-1',
    signInId: 'sign-in-1',
    epoch: 1,
    generation: await first.store.generation(),
  }
  await first.store.addSignIn(signInRecord())
  await first.store.createSession('k', sessionRecord())
  await first.store.endSignIn('account-1', 'ended', UNTIL)
  await first.store.raiseEpoch('account-2', 2, 'spared', UNTIL)
  await first.store.close()
  t.throws(() => first.store.isLive(ref), UNAVAILABLE)
  const { store } = await openStore(t, file)
  t.equal(store.isLive(ref), true)
  t.equal(store.isLive({ ...ref, signInId: 'ended' }), false)
  t.equal(store.isLive({ ...ref, accountId: 'account-2' }), false)
  t.equal(store.isLive({ ...ref, accountId: 'account-2', signInId: 'spared' }), true)
  t.strictSame(await store.findSignIn('account-1', 'sign-in-1', NOW), signInRecord())
  t.strictSame(store.readSession('k', NOW), sessionRecord())
})

t.test('what another process writes is seen by the next operation', async (t) => {
  const file = newFile()
  const { store } = await openStore(t, file)
  const ref = { accountId: 'a', signInId: 's', epoch: 1, generation: await store.generation() }
  t.equal(store.isLive(ref), true)
  foreign(t, file).exec(`INSERT INTO ended_sign_ins VALUES ('s', ${UNTIL})`)
  t.equal(store.isLive(ref), false)
})

t.test('a list that was lost lets nothing live that came before', async (t) => {
  const { store, database } = await openStore(t, newFile())
  const ref = { accountId: 'a', signInId: 's', epoch: 1, generation: await store.generation() }
  database.connection.exec('DELETE FROM revocation_list')
  t.equal(store.isLive(ref), false)
  const generation = await store.generation()
  t.not(generation, ref.generation)
  t.equal(await store.generation(), generation)
  t.equal(store.isLive(ref), false)
  t.equal(store.isLive({ ...ref, generation }), true)
})

t.test('a file that is busy for too long is a fault, and the operation leaves nothing behind', async (t) => {
  const file = newFile()
  const { store, database } = await openStore(t, file)
  const generation = await store.generation()
  await store.addSignIn(signInRecord({ sessionKey: 'k' }))
  await store.createSession('k', sessionRecord())
  database.connection.pragma('busy_timeout = 0')
  const other = foreign(t, file)
  other.exec('BEGIN IMMEDIATE')
  await t.rejects(store.endSignIn('account-1', 'sign-in-1', UNTIL), UNAVAILABLE)
  await t.rejects(store.destroySession('k'), UNAVAILABLE)
  t.equal(store.isLive({ accountId: 'account-1', signInId: 'sign-in-1', epoch: 1, generation }), true)
  other.exec('ROLLBACK')
  t.ok(await store.findSignIn('account-1', 'sign-in-1', NOW))
  t.equal(await store.endSignIn('account-1', 'sign-in-1', UNTIL), true)
})

t.test('an operation that fails half way is undone, and the next one works', async (t) => {
  const { store, database } = await openStore(t, newFile())
  const generation = await store.generation()
  await store.addSignIn(signInRecord())
  database.connection.exec(
    `CREATE TRIGGER refuse BEFORE DELETE ON sign_ins BEGIN SELECT RAISE(ABORT, 'refused'); END`,
  )
  await t.rejects(store.endSignIn('account-1', 'sign-in-1', UNTIL), {
    ...UNAVAILABLE,
    cause: { message: 'refused' },
  })
  t.equal(store.isLive({ accountId: 'account-1', signInId: 'sign-in-1', epoch: 1, generation }), true)
  database.connection.exec('DROP TRIGGER refuse')
  t.equal(await store.endSignIn('account-1', 'sign-in-1', UNTIL), true)
})

t.test('every operation on a closed database is a fault', async (t) => {
  const { store } = await openStore(t, newFile())
  await store.close()
  const operations: (() => unknown)[] = [
    () => store.ping(),
    () => store.generation(),
    () => store.readSession('k', NOW),
    () => store.addSignIn(signInRecord()),
    () => store.findSignIn('a', 's', NOW),
    () => store.listSignIns('a', NOW),
    () => store.touchSignIn('a', 's', NOW, NOW),
    () => store.createSession('k', sessionRecord()),
    () => store.touchSession('k', NOW),
    () => store.sweep(NOW),
  ]
  for (const operation of operations) await t.rejects(async () => operation(), UNAVAILABLE)
})

t.test('a sweep of more than a batch drops all that has passed, and lets others run meanwhile', async (t) => {
  const { store, database } = await openStore(t, newFile())
  database.connection.exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1600)
    INSERT INTO ended_sign_ins SELECT 's' || i, ${NOW} FROM n`)
  let turns = 0
  const sweeping = store.sweep(NOW + 3_600_000)
  setImmediate(() => turns++)
  await sweeping
  t.equal(turns, 1)
  t.strictSame(database.connection.prepare('SELECT count(*) FROM ended_sign_ins').raw().get(), [0])
})

t.test('a row that cannot be read is a fault', async (t) => {
  const { store, database } = await openStore(t, newFile())
  await store.addSignIn(signInRecord({ claims: { a: 1 } }))
  for (const claims of ['1', '[]', '{']) {
    database.connection.prepare('UPDATE sign_ins SET claims = ?').run(claims)
    await t.rejects(store.findSignIn('account-1', 'sign-in-1', NOW), UNAVAILABLE, claims)
  }
})

t.test(
  'ending an account’s many sign-ins lets others have their turn, and tells each end once',
  async (t) => {
    const { store } = await openStore(t, newFile())
    const COUNT = 2500
    const ids = Array.from({ length: COUNT }, (_, index) => `sign-in-${index}`)
    for (const id of ids) await store.addSignIn(signInRecord({ id }))
    let turns = 0
    let isRunning = true
    const others = (async () => {
      while (isRunning) {
        await new Promise((resolve) => setImmediate(resolve))
        turns += 1
      }
    })()
    const [ended, alsoEnded] = await Promise.all([
      store.endSignIns('account-1', 'sign-in-7', NOW),
      store.endSignIns('account-1', 'sign-in-7', NOW),
    ])
    isRunning = false
    await others
    t.ok(turns >= 20, `${turns} turns: one after each hundred`)
    t.same(
      [...ended, ...alsoEnded].sort(),
      ids.filter((id) => id !== 'sign-in-7').sort(),
      'each by one of two',
    )
    t.match(await store.listSignIns('account-1', NOW), [{ id: 'sign-in-7' }])
    const generation = await store.generation()
    const isLive = (signInId: string) =>
      store.isLive({ accountId: 'account-1', signInId, epoch: 1, generation })
    t.same(await Promise.all([isLive('sign-in-7'), isLive('sign-in-0'), isLive('sign-in-2499')]), [
      true,
      false,
      false,
    ])
  },
)

t.test('spent keys leave the file when no clock can need them, a few rows with each use', async (t) => {
  const { store, database } = await openStore(t, newFile())
  const count = () => database.connection.prepare('SELECT count(*) FROM spent').raw().get()
  const until = NOW + 240_000
  for (let index = 0; index < 10; index++) await store.spendOnce?.(`old ${index}`, until, NOW)
  await store.spendOnce?.('early', until + SPENT_MARGIN, until + SPENT_MARGIN - 1)
  t.strictSame(count(), [11])
  for (let index = 0; index < 5; index++)
    await store.spendOnce?.(`new ${index}`, until + 2 * SPENT_MARGIN, until + SPENT_MARGIN)
  t.strictSame(count(), [6])
})
