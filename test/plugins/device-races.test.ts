import t, { type Test } from 'tap'
import { databaseFile, openDatabase } from '../../plugins/lib/database/embedded.js'
import { createSqliteStore } from '../../plugins/lib/stores/sqlite/store.js'
import { TestClock } from '../helpers/clock.js'
import { deviceApp } from '../helpers/device-app.js'
import { type Instances, raceAll } from '../helpers/device-races.js'
import { caughtUp, openFollowed } from '../helpers/followed.js'
import { startRedis } from '../helpers/redis-server.js'

/** `FC_RUNS=50` makes it 10 000. */
const ROUNDS = 200 * Number(process.env.FC_RUNS ?? 1)

// For machines with more to do.
t.setTimeout(600_000)

async function onSqlite(t: Test): Promise<Instances> {
  const database = await openDatabase(databaseFile(t.testdir()))
  t.teardown(() => database.close())
  const app = await deviceApp(t, { store: createSqliteStore(database) })
  return { here: app, there: app, heard: async () => {} }
}

async function onRedis(t: Test, count: 1 | 2): Promise<Instances> {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const clock = new TestClock()
  const open = async () => {
    const { store } = await openFollowed(t, server.url, { commandTimeout: 10_000 })
    return { store, app: await deviceApp(t, { store, clock }) }
  }
  const here = await open()
  const there = count === 1 ? here : await open()
  return { here: here.app, there: there.app, heard: () => caughtUp(there.store, here.store) }
}

const PLACES: Readonly<Record<string, (t: Test) => Promise<Instances>>> = {
  SQLite: onSqlite,
  Redis: (t) => onRedis(t, 1),
  'two instances on Redis': (t) => onRedis(t, 2),
}

for (const [name, open] of Object.entries(PLACES))
  for (const what of ['refresh', 'registration'] as const)
    t.test(`a ${what} under way undoes no sign-out: ${name}`, async (t) => {
      const outcomes = await raceAll(await open(t), what, ROUNDS)
      t.equal(outcomes.granted + outcomes.refused, ROUNDS)
      t.equal(outcomes.undone, 0)
      t.equal(outcomes.late, 0, 'what is asked for after the end is refused')
    })
