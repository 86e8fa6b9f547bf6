import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import Database from 'libsql'
import t, { type Test } from 'tap'
import { openDatabase } from '../../../../plugins/lib/database.js'
import { createSqliteStore } from '../../../../plugins/lib/stores/sqlite.js'
import { SqliteRevocations } from '../../../../plugins/lib/stores/sqlite-revocations.js'
import { PAGE, type StatementName, Statements } from '../../../../plugins/lib/stores/sqlite-statements.js'

const directory = mkdtempSync(join(tmpdir(), 'sqlite-revocations-'))
t.teardown(() => rmSync(directory, { recursive: true, force: true }))
let files = 0

/** Statements over one connection that count how often each was run. */
class CountedStatements extends Statements {
  readonly counts: Partial<Record<StatementName, number>> = {}

  override get(name: StatementName, ...values: (string | number | null)[]): unknown {
    this.counts[name] = (this.counts[name] ?? 0) + 1
    return super.get(name, ...values)
  }
}

/** A list over a file of its own, and a connection of another process, as far as SQLite can tell. */
async function openList(t: Test, max?: number) {
  const file = join(directory, `${++files}.db`)
  const database = await openDatabase(file)
  database.connection.pragma('synchronous = OFF')
  const store = createSqliteStore(database)
  const foreign = new Database(file, { timeout: 1000 })
  foreign.pragma('synchronous = OFF')
  t.teardown(() => foreign.close())
  t.teardown(() => store.close())
  const statements = new CountedStatements(database.connection)
  const list = new SqliteRevocations(statements, max)
  const generation = await store.generation()
  const ref = (signInId: string, epoch = 1, accountId = 'a') => ({ accountId, signInId, epoch, generation })
  const asked = () => statements.counts.liveness ?? 0
  return { store, foreign, list, ref, asked, generation, statements }
}

/** Longer than one look at the data version does. */
const aLook = () => delay(5)

type Opened = Awaited<ReturnType<typeof openList>>

/** Until memory alone answers: it has read all of the list by then. */
async function settle({ list, ref, asked }: Opened): Promise<void> {
  for (let unasked = 0; unasked < 3; ) {
    await aLook()
    const before = asked()
    list.isLive(ref('whoever', 1, 'nobody'))
    unasked = asked() === before ? unasked + 1 : 0
  }
}

const END = 'INSERT INTO ended_sign_ins VALUES (?, ?)'
const LATER = 5000

t.test('once the list is in memory, the file is not asked', async (t) => {
  const opened = await openList(t)
  const { list, ref, asked, statements } = opened
  t.equal(list.isLive(ref('s')), true)
  t.equal(asked(), 1, 'before that it is')
  await settle(opened)
  const before = { ...statements.counts }
  const began = performance.now()
  for (let times = 0; times < 10_000; times++) if (!list.isLive(ref('s'))) t.fail()
  const looks = (statements.counts.dataVersion ?? 0) - (before.dataVersion ?? 0)
  t.same({ ...statements.counts, dataVersion: 0 }, { ...before, dataVersion: 0 })
  t.ok(looks <= (performance.now() - began) / 2 + 1, `${looks} looks at the data version`)
})

t.test('what another process ends is refused with the next look, and is in memory soon', async (t) => {
  const opened = await openList(t)
  const { foreign, list, ref, asked } = opened
  await settle(opened)
  foreign.prepare(END).run('s', LATER)
  await aLook()
  t.equal(list.isLive(ref('s')), false)
  t.equal(list.isLive(ref('other')), true)
  await settle(opened)
  const before = asked()
  t.equal(list.isLive(ref('s')), false)
  t.equal(list.isLive(ref('other')), true)
  t.equal(asked(), before)
})

t.test('an epoch that another process raises refuses what is below, but for whom it spared', async (t) => {
  const opened = await openList(t)
  const { foreign, list, ref, asked } = opened
  await settle(opened)
  foreign.prepare('INSERT INTO spared_sign_ins VALUES (?, ?, ?, ?)').run('a', 'spared', 2, LATER)
  foreign.prepare('INSERT INTO raised_epochs VALUES (?, ?, ?)').run('a', 2, LATER)
  await aLook()
  for (const from of ['the file', 'memory']) {
    t.equal(list.isLive(ref('s')), false, from)
    t.equal(list.isLive(ref('spared')), true, from)
    t.equal(list.isLive(ref('s', 2)), true, from)
    t.equal(list.isLive(ref('s', 1, 'b')), true, from)
    await settle(opened)
  }
  foreign.prepare('UPDATE raised_epochs SET epoch = 3').run()
  await settle(opened)
  const before = asked()
  t.equal(list.isLive(ref('spared')), false, 'a later raise spares nobody who is not named')
  t.equal(asked(), before)
})

t.test('a list of several pages is read whole', async (t) => {
  const opened = await openList(t)
  const { foreign, list, ref, asked } = opened
  const name = (index: number) => `s${index}`
  const count = 2 * PAGE + 1
  foreign.exec('BEGIN')
  const [end, raise] = [foreign.prepare(END), foreign.prepare('INSERT INTO raised_epochs VALUES (?, ?, ?)')]
  const spare = foreign.prepare('INSERT INTO spared_sign_ins VALUES (?, ?, ?, ?)')
  for (let index = 0; index < count; index++) {
    end.run(name(index), LATER)
    raise.run(`account${index}`, 2, LATER)
    spare.run(`account${index % 2}`, `spared${index}`, 2, LATER)
  }
  foreign.exec('COMMIT')
  await settle(opened)
  const before = asked()
  for (let index = 0; index < count; index++) {
    if (list.isLive(ref(name(index)))) t.fail(`${name(index)} is live`)
    if (list.isLive(ref('s', 1, `account${index}`))) t.fail(`account${index} is live`)
    if (!list.isLive(ref(`spared${index}`, 1, `account${index % 2}`))) t.fail(`spared${index} is not live`)
  }
  t.equal(asked(), before)
})

t.test('a list that was lost, or is another one, refuses what was issued under it', async (t) => {
  const opened = await openList(t)
  const { foreign, list, ref, generation } = opened
  await settle(opened)
  foreign.exec('DELETE FROM revocation_list')
  await aLook()
  t.equal(list.isLive(ref('s')), false)
  foreign.prepare('INSERT INTO revocation_list VALUES (1, ?)').run(generation + 1)
  await aLook()
  t.equal(list.isLive(ref('s')), false)
  const newer = { ...ref('s'), generation: generation + 1 }
  t.equal(list.isLive(newer), true)
  foreign.prepare(END).run('s', LATER)
  await aLook()
  t.equal(list.isLive(newer), false)
})

t.test('more than fits into memory is asked of the file, and of memory again when it fits', async (t) => {
  const opened = await openList(t, 10)
  const { foreign, list, ref, asked } = opened
  for (let index = 0; index < 20; index++) foreign.prepare(END).run(`s${index}`, index)
  list.isLive(ref('live'))
  await delay(50)
  let before = asked()
  for (let index = 0; index < 20; index++) t.equal(list.isLive(ref(`s${index}`)), false)
  t.equal(list.isLive(ref('live')), true)
  t.ok(asked() > before)
  foreign.exec('DELETE FROM ended_sign_ins WHERE until < 15')
  await list.sweep(15)
  await settle(opened)
  before = asked()
  for (let index = 15; index < 20; index++) t.equal(list.isLive(ref(`s${index}`)), false)
  t.equal(list.isLive(ref('live')), true)
  t.equal(asked(), before)
})

t.test('what a store could not write is not refused, and one that is closed answers nothing', async (t) => {
  const { store, foreign, ref } = await openList(t)
  const mine = ref('s')
  while (!store.isLive(mine)) await delay(1)
  foreign.exec('BEGIN IMMEDIATE')
  await t.rejects(store.endSignIn('a', 's', LATER), { code: 'STORE_UNAVAILABLE' })
  foreign.exec('ROLLBACK')
  t.equal(store.isLive(mine), true)
  await store.endSignIn('a', 's', LATER)
  t.equal(store.isLive(mine), false)
  await store.close()
  await aLook()
  t.throws(() => store.isLive(ref('other')), { code: 'STORE_UNAVAILABLE' })
})
